//! Names of streams and subjects. They are made of the workspace's id, which has no characters that
//! mean something in a subject.

use postroom_model::{ChannelId, WorkspaceId};

/// The names of one workspace.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) inlet: String,
    pub(crate) ledger: String,
    pub(crate) outlet: String,
    /// The stream behind the key-value bucket of credentials.
    pub(crate) access: String,
    workspace: WorkspaceId,
}

impl Names {
    pub(crate) fn of(workspace: &WorkspaceId) -> Self {
        Self {
            inlet: format!("POSTROOM_{workspace}_IN"),
            ledger: format!("POSTROOM_{workspace}_LEDGER"),
            outlet: format!("POSTROOM_{workspace}_OUT"),
            access: format!("KV_POSTROOM_{workspace}_ACCESS"),
            workspace: workspace.clone(),
        }
    }

    pub(crate) fn inlet_subjects(&self) -> Vec<String> {
        let workspace = &self.workspace;
        vec![format!("postroom.{workspace}.in.*"), format!("postroom.{workspace}.cmd.*")]
    }

    /// Where the intake's own batches go: they mix channels and commands.
    pub(crate) fn batch_subject(&self) -> String {
        format!("postroom.{}.cmd.batch", self.workspace)
    }

    /// What the subject of an entry of one channel begins with.
    pub(crate) fn channel_prefix(&self) -> String {
        format!("postroom.{}.in.", self.workspace)
    }

    pub(crate) fn outlet_subjects(&self) -> String {
        format!("postroom.{}.out.*", self.workspace)
    }

    /// Where the replies of one channel go.
    pub(crate) fn outlet_subject(&self, channel: &ChannelId) -> String {
        format!("postroom.{}.out.{channel}", self.workspace)
    }

    pub(crate) fn workspace(&self) -> &WorkspaceId {
        &self.workspace
    }

    pub(crate) fn ledger_subject(&self) -> String {
        format!("postroom.{}.ledger", self.workspace)
    }

    pub(crate) fn access_subjects(&self) -> String {
        format!("{}>", self.access_prefix())
    }

    /// What the subject of a credential begins with; its hash follows.
    pub(crate) fn access_prefix(&self) -> String {
        format!("$KV.POSTROOM_{}_ACCESS.", self.workspace)
    }

    /// Who speaks, in the form that a CloudEvent asks for.
    pub(crate) fn source(&self) -> String {
        format!("/postroom/{}", self.workspace)
    }
}

#[cfg(test)]
mod tests {
    use super::Names;
    use postroom_model::{ChannelId, WorkspaceId};

    #[test]
    fn names_are_the_published_ones() {
        let names = Names::of(&WorkspaceId::new("acme").unwrap());
        assert_eq!(names.inlet, "POSTROOM_acme_IN");
        assert_eq!(names.ledger, "POSTROOM_acme_LEDGER");
        assert_eq!(names.inlet_subjects(), ["postroom.acme.in.*", "postroom.acme.cmd.*"]);
        assert_eq!(names.ledger_subject(), "postroom.acme.ledger");
        assert_eq!(names.outlet, "POSTROOM_acme_OUT");
        assert_eq!(names.outlet_subjects(), "postroom.acme.out.*");
        let fax = ChannelId::new("fax").unwrap();
        assert_eq!(names.outlet_subject(&fax), "postroom.acme.out.fax");
        assert_eq!(names.access_subjects(), "$KV.POSTROOM_acme_ACCESS.>");
    }
}
