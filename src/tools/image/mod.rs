//! Images: list, look, build, name, pull, push, search, save, load, remove.

mod archive;
mod build;
mod inspect;
mod list;
mod pull;
mod push;
mod remove;
mod search;
mod tag;

use super::{Context, Entry};
use crate::command::images::{Image, InspectImages};
use crate::command::values::ImageRef;
use crate::error::{Code, Error};

pub(super) fn tools() -> Vec<Entry> {
    vec![
        Entry::change::<build::BuildImage>(),
        Entry::of::<list::ListImages>(),
        Entry::of::<inspect::InspectImage>(),
        Entry::change::<pull::PullImage>(),
        Entry::change::<tag::TagImage>(),
        Entry::change::<push::PushImage>(),
        Entry::of::<search::SearchImages>(),
        Entry::change::<archive::SaveImage>(),
        Entry::change::<archive::LoadImage>(),
        Entry::change::<remove::RemoveImage>(),
    ]
}

/// The whole reference, as registries know it: docker takes `latest` where nothing is said.
fn with_tag(image: &ImageRef) -> Result<ImageRef, Error> {
    if image.is_id() {
        let message = format!("{image} is an ID, which no registry knows: give the image's name");
        return Err(Error::invalid("image", message));
    }
    if image.tag().is_some() || image.digest().is_some() {
        return Ok(image.clone());
    }
    format!("{image}:latest").parse().map_err(|problem: String| Error::invalid("image", problem))
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
