//! What images share that are rebased together: each thing is looked up once, by whoever asks first.

use super::RunImage;
use crate::debian::difference::Difference;
use crate::error::Result;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What is known already.
#[derive(Default)]
pub struct Known {
    /// Run images, by what asks for them.
    pub(super) runs: Shared<RunImage>,
    /// What changes from one run image to another; nothing where that was not looked at.
    pub(super) differences: Shared<Option<Difference>>,
}

/// Values by their keys. Two who want the same one wait for each other; a failure is no value.
pub(super) struct Shared<T>(Mutex<HashMap<String, Slot<T>>>);

type Slot<T> = Arc<Mutex<Option<Arc<T>>>>;

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Shared<T> {
    /// The value, made if it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn get(&self, key: String, make: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
        let slot = self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone();
        let mut value = slot.lock().unwrap_or_else(PoisonError::into_inner);
        match &*value {
            Some(value) => Ok(value.clone()),
            None => Ok(value.insert(Arc::new(make()?)).clone()),
        }
    }
}
