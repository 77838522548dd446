//! Figures as text, without an allocation.

/// A figure written from its end: 39 digits of 128 bits, a point and a sign fit.
pub(crate) struct Backwards {
    text: [u8; 44],
    at: usize,
}

impl Default for Backwards {
    fn default() -> Self {
        Self { text: [0; 44], at: 44 }
    }
}

impl Backwards {
    pub(crate) fn put(&mut self, byte: u8) {
        self.at -= 1;
        self.text[self.at] = byte;
    }

    pub(crate) fn whole(&mut self, mut value: u64) {
        loop {
            self.put(b'0' + (value % 10) as u8);
            value /= 10;
            if value == 0 {
                return;
            }
        }
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.text[self.at..]).expect("digits, a point and a sign are ASCII")
    }
}
