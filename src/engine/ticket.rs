//! What the scheduler knows of a host: its name and no more.
//!
//! kube-runtime's `applier` asks a reflector store for the object of each request. Ours holds
//! tickets of those that have their turn instead of all hosts, which the store has already.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::Event;

use crate::store::Key;

/// A host by name.
#[derive(Debug, Clone)]
pub(super) struct Ticket {
    meta: ObjectMeta,
}

impl Ticket {
    /// The ticket of a host.
    fn new(key: &Key) -> Self {
        let meta = ObjectMeta {
            name: Some(key.name.to_string()),
            namespace: Some(key.namespace.to_string()),
            ..ObjectMeta::default()
        };
        Self { meta }
    }

    /// The host.
    pub fn key(&self) -> Key {
        Key::new(
            self.meta.namespace.as_deref().unwrap_or_default(),
            self.meta.name.as_deref().unwrap_or_default(),
        )
    }
}

/// Tickets of those that have their turn.
#[derive(Debug, Clone)]
pub(super) struct Tickets(Arc<Mutex<Writer<Ticket>>>);

impl Tickets {
    /// None yet; the scheduler reads them from the store.
    pub fn new() -> (Store<Ticket>, Self) {
        let (reader, writer) = reflector::store();
        let tickets = Self(Arc::new(Mutex::new(writer)));
        // It is whole from the start: the scheduler waits for that.
        tickets.tell(&Event::Init);
        tickets.tell(&Event::InitDone);
        (reader, tickets)
    }

    /// Issues a host's ticket, and says what the scheduler calls it.
    pub fn issue(&self, key: &Key) -> ObjectRef<Ticket> {
        let ticket = Ticket::new(key);
        let name = ObjectRef::from_obj(&ticket);
        self.tell(&Event::Apply(ticket));
        name
    }

    /// Takes a ticket back.
    pub fn withdraw(&self, ticket: &Ticket) {
        self.tell(&Event::Delete(ticket.clone()));
    }

    fn tell(&self, event: &Event<Ticket>) {
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        writer.apply_watcher_event(event);
    }
}

impl Resource for Ticket {
    type DynamicType = ();
    type Scope = kube::core::NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "BareMetalHost".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        "metal3.io".into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1alpha1".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "baremetalhosts".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}
