//! What hangs off the entry of a collection: a large value behind its table of functions.
//!
//! The entry knows its kind but not the type of the value, so the functions that free and measure
//! it lie beside it. A pointer in an entry whose kind is no string is an [`ObjectPointer`].

use std::any::TypeId;
use std::ptr::NonNull;

use super::super::home::{Large, Wanted};
use super::super::rubble::Rubble;
use super::super::size_class::size_class;

/// A large value in an allocation of its own.
#[repr(C)]
struct Object<L> {
    functions: &'static Functions,
    value: L,
}

/// What can be done with an object without knowing its type. Each takes a pointer to a live object
/// of the type that the table was made for.
struct Functions {
    type_id: TypeId,
    crumble: unsafe fn(ObjectPointer, &mut Rubble),
    free: unsafe fn(ObjectPointer),
    duplicate: unsafe fn(ObjectPointer) -> ObjectPointer,
    memory_bytes: unsafe fn(ObjectPointer) -> usize,
    is_cheap_to_free: unsafe fn(ObjectPointer) -> bool,
    next_deadline_ms: unsafe fn(ObjectPointer) -> Option<u64>,
    prefetch: unsafe fn(ObjectPointer, &[Wanted<'_>]),
}

struct Of<L>(L);

impl<L: Large> Of<L> {
    const FUNCTIONS: &'static Functions = &Functions {
        type_id: TypeId::of::<L>(),
        crumble: |pointer, rubble| {
            // SAFETY: made by `ObjectPointer::new::<L>`, and the owner gives it up.
            let object = unsafe { Box::from_raw(pointer.0.cast::<Object<L>>().as_ptr()) };
            object.value.crumble(rubble);
        },
        free: |pointer| {
            // SAFETY: made by `ObjectPointer::new::<L>`, and the owner gives it up.
            drop(unsafe { Box::from_raw(pointer.0.cast::<Object<L>>().as_ptr()) });
        },
        duplicate: |pointer| {
            // SAFETY: a live object of this type, as the caller promises.
            let object = unsafe { pointer.0.cast::<Object<L>>().as_ref() };
            ObjectPointer::new(object.value.clone())
        },
        memory_bytes: |pointer| {
            // SAFETY: a live object of this type, as the caller promises.
            let object = unsafe { pointer.0.cast::<Object<L>>().as_ref() };
            size_class(size_of::<Object<L>>()) + object.value.memory_bytes()
        },
        is_cheap_to_free: |pointer| {
            // SAFETY: a live object of this type, as the caller promises.
            let object = unsafe { pointer.0.cast::<Object<L>>().as_ref() };
            object.value.is_cheap_to_free()
        },
        next_deadline_ms: |pointer| {
            // SAFETY: a live object of this type, as the caller promises.
            let object = unsafe { pointer.0.cast::<Object<L>>().as_ref() };
            object.value.next_deadline_ms()
        },
        prefetch: |pointer, wanted| {
            // SAFETY: a live object of this type, as the caller promises.
            let object = unsafe { pointer.0.cast::<Object<L>>().as_ref() };
            object.value.prefetch(wanted);
        },
    };
}

/// A pointer to a live object, which whoever holds the entry owns.
#[derive(Clone, Copy)]
pub(super) struct ObjectPointer(NonNull<u8>);

impl ObjectPointer {
    /// An object of its own for a value.
    pub(super) fn new<L: Large>(value: L) -> Self {
        let object = Box::new(Object { functions: Of::<L>::FUNCTIONS, value });
        Self(NonNull::from(Box::leak(object)).cast())
    }

    /// The value.
    ///
    /// # Panics
    /// If it is of another type.
    #[inline]
    pub(super) fn value<'a, L: Large>(self) -> &'a L {
        assert!(self.functions().type_id == TypeId::of::<L>());
        // SAFETY: a live object of this type; the entry's borrow keeps it for 'a.
        let object = unsafe { self.0.cast::<Object<L>>().as_ref() };
        &object.value
    }

    /// The value, to change it.
    ///
    /// # Panics
    /// If it is of another type.
    #[inline]
    pub(super) fn value_mut<'a, L: Large>(self) -> &'a mut L {
        assert!(self.functions().type_id == TypeId::of::<L>());
        // SAFETY: as for `value`, and the caller holds the entry mutably for 'a.
        let object = unsafe { self.0.cast::<Object<L>>().as_mut() };
        &mut object.value
    }

    /// Frees the object, but for what takes long; nobody may look at it again.
    pub(super) fn crumble(self, rubble: &mut Rubble) {
        // SAFETY: a live object, whose own table this is.
        unsafe { (self.functions().crumble)(self, rubble) }
    }

    /// Frees the object; nobody may look at it again.
    pub(super) fn free(self) {
        // SAFETY: a live object, whose own table this is.
        unsafe { (self.functions().free)(self) }
    }

    /// Another object with the same value, frozen.
    pub(super) fn duplicate(self) -> Self {
        // SAFETY: a live object, whose own table this is.
        unsafe { (self.functions().duplicate)(self) }
    }

    /// All bytes that it takes.
    pub(super) fn memory_bytes(self) -> usize {
        // SAFETY: a live object, whose own table this is.
        unsafe { (self.functions().memory_bytes)(self) }
    }

    /// Whether dropping it takes no longer than handing it to another thread.
    pub(super) fn is_cheap_to_free(self) -> bool {
        // SAFETY: a live object, whose own table this is.
        unsafe { (self.functions().is_cheap_to_free)(self) }
    }

    /// When a part of it expires next.
    pub(super) fn next_deadline_ms(self) -> Option<u64> {
        // SAFETY: a live object, whose own table this is.
        unsafe { (self.functions().next_deadline_ms)(self) }
    }

    /// See [`Large::prefetch`].
    pub(super) fn prefetch(self, wanted: &[Wanted<'_>]) {
        // SAFETY: a live object, whose own table this is.
        unsafe { (self.functions().prefetch)(self, wanted) }
    }

    #[inline]
    fn functions(self) -> &'static Functions {
        // SAFETY: every object begins with the address of its table, and is live.
        unsafe { self.0.cast::<&'static Functions>().read() }
    }
}
