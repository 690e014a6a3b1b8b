//! Containers: list, look, create, start, stop, remove, read.

mod copy;
mod create;
mod exec;
mod inspect;
mod lifecycle;
mod list;
mod logs;
mod recreate;
mod remove;
mod run;
mod stats;
mod update;
mod wait;

pub(super) use create::command as create_command;
pub(super) use remove::going_volumes;

use super::Entry;

pub(super) fn tools() -> Vec<Entry> {
    vec![
        Entry::of::<list::ListContainers>(),
        Entry::of::<inspect::InspectContainer>(),
        Entry::change::<create::CreateContainer>(),
        Entry::change::<exec::ExecContainer>(),
        Entry::of::<logs::GetLogs>(),
        Entry::change::<remove::RemoveContainer>(),
        Entry::change::<run::RunContainer>(),
        Entry::change::<lifecycle::StartContainer>(),
        Entry::change::<lifecycle::StopContainer>(),
        Entry::change::<lifecycle::RestartContainer>(),
        Entry::change::<lifecycle::KillContainer>(),
        Entry::change::<lifecycle::PauseContainer>(),
        Entry::change::<lifecycle::UnpauseContainer>(),
        Entry::of::<wait::WaitContainer>(),
        Entry::of::<stats::ContainerStats>(),
        Entry::change::<update::UpdateContainer>(),
        Entry::change::<copy::CopyFiles>(),
        Entry::change::<recreate::RecreateContainer>(),
    ]
}
