//! Replies that show elements of lists.

use resp::Reply;
use store::types::list::{Element, Walk};

/// Replies with one element; a long one by reference.
#[inline]
pub(crate) fn reply_element(reply: &mut Reply, element: Element<'_>) {
    match element {
        Element::Bytes(bytes) => reply.bulk(bytes),
        Element::Integer(value) => reply.bulk_integer(value),
        Element::Shared(bytes) => reply.bulk_shared(bytes),
    }
}

/// Replies with an array of elements.
pub(crate) fn reply_elements(reply: &mut Reply, elements: Walk<'_>) {
    reply.array(elements.len());
    elements.for_each(|element| reply_element(reply, element));
}
