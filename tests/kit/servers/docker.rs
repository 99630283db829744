//! Servers as containers of a Docker engine.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use roster_domain::chain;
use testcontainers_modules::testcontainers::bollard::models::PortBinding;
use testcontainers_modules::testcontainers::bollard::query_parameters::{
    ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
};
use testcontainers_modules::testcontainers::core::client::docker_client_instance;
use testcontainers_modules::testcontainers::runners::AsyncRunner;
use testcontainers_modules::testcontainers::{ContainerAsync, ContainerRequest, Image, ImageExt};
use tokio::time::timeout;

use super::free_port;
use crate::kit::folder::{Folder, is_owned};

/// Long enough to pull the image on a slow line.
const START: Duration = Duration::from_secs(240);

/// On each container: the folder of the run that started it, which tells whether that run still lives.
const FOLDER: &str = "roster-tests.folder";
/// And on which machine that was: an engine may be shared, and then only the owner knows what is a leftover.
const MACHINE: &str = "roster-tests.machine";

/// A container that was started for this run. The library has no reaper: [`Container::remove`] is called when
/// it is not needed any more, and [`sweep`] at the next run's beginning.
pub(super) struct Container<I: Image> {
    container: ContainerAsync<I>,
    port: u16,
}

impl<I: Image> Container<I> {
    /// Starts an image, which it pulls if need be. Its port `inside` is reached on the loopback address only.
    pub(super) async fn start(
        folder: &Folder,
        image: impl Into<ContainerRequest<I>>,
        inside: u16,
    ) -> Result<Self, String> {
        let port = free_port();
        let image = image
            .into()
            .with_label(FOLDER, label(folder))
            .with_label(MACHINE, machine())
            // When it is ready is found out by asking it.
            .with_ready_conditions(Vec::new())
            .with_startup_timeout(START)
            .with_host_config_modifier(move |host| {
                let binding =
                    PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: Some(port.to_string()) };
                host.port_bindings = Some(HashMap::from([(format!("{inside}/tcp"), Some(vec![binding]))]));
                host.publish_all_ports = Some(false);
            });
        let started = timeout(START, image.start()).await.map_err(|_| "it takes too long".to_owned())?;
        let container = started.map_err(|error| chain(&error))?;
        Ok(Self { container, port })
    }

    /// The port on the loopback address.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Stops the server; its data stay.
    pub(super) async fn stop(&self) {
        self.container.stop_with_timeout(Some(10)).await.expect("the container stops");
    }

    /// Ends the server as a crash would; its data stay.
    pub(super) async fn kill(&self) {
        let docker = docker_client_instance().await.expect("the engine is there");
        docker.kill_container(self.container.id(), None).await.expect("the container can be killed");
    }

    /// Starts the server again, on the same port.
    pub(super) async fn resume(&self) {
        self.container.start().await.expect("the container starts again");
    }

    /// Removes the container with its data.
    pub(super) async fn remove(&self) {
        remove(self.container.id()).await;
    }
}

/// Removes containers of this machine whose run has ended.
pub(super) async fn sweep() {
    remove_where(|of| !is_owned(Path::new(of))).await;
}

/// Removes all containers of this run, whoever started them.
pub(super) async fn remove_all(folder: &Folder) {
    remove_where(|of| of == label(folder)).await;
}

async fn remove_where(is_unwanted: impl Fn(&str) -> bool) {
    let Ok(docker) = docker_client_instance().await else { return };
    let filters = HashMap::from([("label", vec![format!("{MACHINE}={}", machine())])]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    // Without an engine there are no leftovers of one.
    let listed = timeout(Duration::from_secs(10), docker.list_containers(Some(options))).await;
    for container in listed.ok().and_then(Result::ok).unwrap_or_default() {
        let of = container.labels.as_ref().and_then(|labels| labels.get(FOLDER));
        if let (Some(id), Some(of)) = (&container.id, of)
            && is_unwanted(of)
        {
            eprintln!("a container of {of} is removed");
            remove(id).await;
        }
    }
}

async fn remove(id: &str) {
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    let removed = match docker_client_instance().await {
        Ok(docker) => docker.remove_container(id, Some(options)).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = removed {
        eprintln!("container {id} is left: {error}");
    }
}

fn label(folder: &Folder) -> String {
    folder.path().display().to_string()
}

fn machine() -> String {
    let user = rustix::process::getuid().as_raw();
    format!("{}-{user}", rustix::system::uname().nodename().to_string_lossy())
}
