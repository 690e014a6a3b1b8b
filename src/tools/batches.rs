//! Looking at many objects: so many at once that neither a command line nor a time limit ends it.

use crate::command::Command;
use crate::docker::Docker;
use crate::error::Error;

/// A daemon answers `inspect` of a hundred in about 0.1 s.
const BATCH: usize = 100;

/// Runs `command` for `names`, a hundred at a time, and joins what it says.
pub(super) async fn in_batches<C, T>(
    docker: &Docker,
    names: &[String],
    command: impl Fn(Vec<String>) -> C + Send,
) -> Result<Vec<T>, Error>
where
    C: Command<Reply = Vec<T>> + Sync,
    T: Send,
{
    let mut all = vec![];
    for batch in names.chunks(BATCH) {
        all.extend(docker.run(&command(batch.to_vec())).await?);
    }
    Ok(all)
}
