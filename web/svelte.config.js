import { vitePreprocess } from "@sveltejs/vite-plugin-svelte";

export default {
  preprocess: vitePreprocess(),
  compilerOptions: { runes: true },
  // What scrolls has to be reached by the keyboard; axe asks for just what this warns of.
  onwarn: (warning, handle) => warning.code === "a11y_no_noninteractive_tabindex" || handle(warning),
};
