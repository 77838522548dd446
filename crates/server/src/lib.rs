//! HTTP, SSE, WebSocket, sign-in, metrics and the page.
