//! Gives memory that was freed back to the system. glibc keeps it, the more the larger the pieces that a program once freed.

/// Gives freed memory back: worth it after something large was let go, and before something else that is large is made.
pub fn give_back() {
    // SAFETY: the call takes no pointer; glibc locks what it trims.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}
