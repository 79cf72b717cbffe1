//! Checks the parameters.

use gradtop_sdk::prelude::*;
use tch::Device;

use super::ErrorSurface;
use super::survey::Plan;
use super::task::{Task, TaskName};

impl ErrorSurface {
    /// Converts the parameters to a plan of the survey.
    pub fn plan(&self, seed: u64, device: Device) -> Result<Plan> {
        if self.grid % 2 == 0 {
            return Err(Error::invalid(format!("parameter `grid` is {}, but must be odd", self.grid)));
        }
        if self.line_points % 4 != 1 {
            return Err(Error::invalid(format!(
                "parameter `line_points` is {}, but must be 4k + 1 such as 101",
                self.line_points
            )));
        }
        if self.mnist_batch > self.mnist_images {
            return Err(Error::invalid(format!(
                "parameter `mnist_batch` is {}, but must be at most `mnist_images`, which is {}",
                self.mnist_batch, self.mnist_images
            )));
        }
        let tasks = self
            .tasks
            .iter()
            .map(|name| match name {
                TaskName::Function => Task::function(self, device),
                TaskName::Mnist => Task::mnist(self, seed, device),
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Plan { tasks, params: self.clone(), seed, device })
    }
}
