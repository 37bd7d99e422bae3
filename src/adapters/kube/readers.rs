//! Who reads a ConfigMap, or gets traffic from a Service: the workloads of its namespace whose templates say so.

use kube::core::DynamicObject;
use serde_json::Value;

use super::live::{Live, failed, page, whole};
use super::locate::resource;
use crate::domain::action::live::{Around, Reader};
use crate::domain::action::{Restore, restore_config};
use crate::domain::target::{Kind, Object};
use crate::ports::reads::ReadError;

/// The kinds that have pods of a template and no controller that belay knows above them.
const WORKLOADS: [Kind; 3] = [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet];

/// The workloads that a ConfigMap or Service concerns.
pub(super) struct Readers {
    /// The one that the action is for.
    pub(super) wanted: Option<(Object, DynamicObject)>,
    reader: Option<Reader>,
    others: Vec<Reader>,
}

impl Readers {
    /// As the action depends on it.
    pub(super) fn around(self) -> Around {
        Around::Config { workload: self.reader, others: self.others }
    }
}

impl Live {
    /// Looks through the templates of its namespace.
    pub(super) async fn readers(
        &self,
        config: &Object,
        content: &Value,
        restore: &Restore,
    ) -> Result<Readers, ReadError> {
        let mut found = Readers { wanted: None, reader: None, others: Vec::new() };
        for kind in WORKLOADS {
            for workload in self.workloads(kind, &config.named.namespace).await? {
                let template = workload.data.pointer("/spec/template").unwrap_or(&Value::Null);
                let Some(ways) = restore_config::concerns(config, content, restore, template) else {
                    continue;
                };
                let object = self.object(kind, &config.named.namespace, &workload.metadata);
                let reader = Reader { named: object.named.clone(), uid: object.uid.clone(), ways };
                if restore_config::is_for(restore, &reader) {
                    found.reader = Some(reader);
                    found.wanted = Some((object, workload));
                } else {
                    found.others.push(reader);
                }
            }
        }
        Ok(found)
    }

    async fn workloads(&self, kind: Kind, namespace: &str) -> Result<Vec<DynamicObject>, ReadError> {
        let Some(resource) = resource(kind) else { return Ok(Vec::new()) };
        let what = || format!("the {} of namespace `{namespace}`", resource.plural);
        whole(self.api(&resource, namespace).list(&page()).await.map_err(|e| failed(what(), e))?, what)
    }
}
