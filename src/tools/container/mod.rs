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

use super::Entry;

pub(super) fn tools() -> Vec<Entry> {
    vec![
        Entry::of::<list::ListContainers>(),
        Entry::of::<inspect::InspectContainer>(),
        Entry::of::<create::CreateContainer>(),
        Entry::of::<exec::ExecContainer>(),
        Entry::of::<logs::GetLogs>(),
        Entry::of::<remove::RemoveContainer>(),
        Entry::of::<run::RunContainer>(),
        Entry::of::<lifecycle::StartContainer>(),
        Entry::of::<lifecycle::StopContainer>(),
        Entry::of::<lifecycle::RestartContainer>(),
        Entry::of::<lifecycle::KillContainer>(),
        Entry::of::<lifecycle::PauseContainer>(),
        Entry::of::<lifecycle::UnpauseContainer>(),
        Entry::of::<wait::WaitContainer>(),
        Entry::of::<stats::ContainerStats>(),
        Entry::change::<update::UpdateContainer>(),
        Entry::of::<copy::CopyFiles>(),
        Entry::of::<recreate::RecreateContainer>(),
    ]
}
