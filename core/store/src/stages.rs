//! The points at which crash tests stop.

/// Marks a point at which a crash test can stop: its hook sees the folder as a kill here would leave it.
pub(crate) fn stage(name: &'static str) {
    #[cfg(test)]
    hook::call(name);
    #[cfg(not(test))]
    let _ = name;
}

#[cfg(test)]
pub(crate) mod hook {
    use std::cell::{Cell, RefCell};

    type Hook = Box<dyn FnMut(&'static str)>;

    thread_local! {
        static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
        static NO_EXCHANGE: Cell<bool> = const { Cell::new(false) };
    }

    /// Makes this thread's file systems unable to exchange folders.
    pub(crate) fn set_no_exchange(yes: bool) {
        NO_EXCHANGE.set(yes);
    }

    pub(crate) fn no_exchange() -> bool {
        NO_EXCHANGE.get()
    }

    /// Calls `f` at every stage this thread passes.
    pub(crate) fn set(f: Option<Hook>) {
        HOOK.with_borrow_mut(|h| *h = f);
    }

    pub(super) fn call(name: &'static str) {
        HOOK.with_borrow_mut(|h| {
            if let Some(f) = h {
                f(name);
            }
        });
    }
}
