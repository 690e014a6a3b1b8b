//! The registry: tools without their types, and the one course of a call.

use std::pin::Pin;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::error::Error;
use crate::foreign_projects;
use crate::parameters::{Arguments, Brief, arguments, schema};
use crate::policy::Policy;
use crate::reply::{Answer, IntoAnswer as _};
use crate::tool::{Context, Spec, Tool};

type Running = Pin<Box<dyn Future<Output = Result<Answer, Error>> + Send>>;

/// A tool without its type, as the server keeps it.
pub struct Entry {
    pub spec: Spec,
    /// As clients see it: shorter.
    pub input_schema: Arc<Map<String, Value>>,
    /// All that is accepted, by which arguments are repaired.
    pub full_schema: Map<String, Value>,
    pub can_work: fn(&Policy) -> bool,
    run: fn(Arguments, Context) -> Running,
}

impl Entry {
    pub fn of<T: Tool>() -> Self {
        Self::new(T::SPEC, schema::full::<T>(), T::BRIEF, T::can_work, run::<T>)
    }

    fn new(
        spec: Spec,
        full_schema: Map<String, Value>,
        brief: Option<Brief>,
        can_work: fn(&Policy) -> bool,
        run: fn(Arguments, Context) -> Running,
    ) -> Self {
        let input_schema = Arc::new(schema::advertised(&full_schema, brief));
        Self { spec, input_schema, full_schema, can_work, run }
    }

    /// Reads the arguments and runs the tool.
    ///
    /// # Errors
    /// DKR-004 for arguments that do not fit, and whatever the tool says.
    pub async fn call(&self, arguments: Arguments, context: Context) -> Result<Answer, Error> {
        let arguments = arguments::fit(&self.full_schema, arguments)?;
        let mut answer = (self.run)(arguments, context.clone()).await?;
        if let Answer::Plan { value, asked } = &mut answer {
            foreign_projects::name_foreign_projects(&context, value, asked).await;
        }
        Ok(answer)
    }
}

fn run<T: Tool>(arguments: Arguments, context: Context) -> Running {
    Box::pin(async move {
        let tool: T = arguments::read(arguments)?;
        Ok(tool.call(&context).await?.into_answer())
    })
}
