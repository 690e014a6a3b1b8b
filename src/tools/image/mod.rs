//! Images: list, look, pull, name, remove.

mod build;
mod inspect;
mod list;
mod pull;
mod remove;
mod tag;

use super::{Context, Entry};
use crate::command::images::{Image, InspectImages};
use crate::command::values::ImageRef;
use crate::error::{Code, Error};

pub(super) fn tools() -> Vec<Entry> {
    vec![
        Entry::of::<build::BuildImage>(),
        Entry::of::<list::ListImages>(),
        Entry::of::<inspect::InspectImage>(),
        Entry::of::<pull::PullImage>(),
        Entry::of::<tag::TagImage>(),
        Entry::of::<remove::RemoveImage>(),
    ]
}

async fn inspect_one(context: &Context, image: &ImageRef) -> Result<Image, Error> {
    let mut found = context
        .docker
        .run(&InspectImages::one(image))
        .await
        .map_err(|error| error.with("image", image.as_str()))?;
    found.pop().ok_or_else(|| {
        Error::new(Code::ImageNotFound, format!("no such image: {image}"))
            .with("image", image.as_str())
    })
}
