//! The configuration of an app image: the run image's, with what starts the app on top.

use crate::error::{Error, Result};
use crate::image::{History, Image, Layer};
use crate::lifecycle::layer::{LAUNCHER_PATH, PROCESS_FOLDER};
use crate::output::Output;
use launcher::api::Api;

/// The time that images carry instead of the time they were made at (Platform spec, "Build Reproducibility").
const CREATED: i64 = 315_532_801;

/// What the configuration is made of besides the run image.
pub struct Configure<'a> {
    /// The layers folder inside the image.
    pub layers_in_image: &'a str,
    /// The app folder inside the image.
    pub app_in_image: &'a str,
    /// The types of the processes.
    pub process_types: &'a [String],
    /// The process that the person wants to be the default.
    pub process_type: Option<&'a str>,
    /// The process that a buildpack made the default.
    pub default_process_type: Option<&'a str>,
    /// Seconds since 1970 that the image carries as its time (`SOURCE_DATE_EPOCH`).
    pub created: Option<i64>,
    /// The Platform API that the launcher in the image will be asked for.
    pub platform_api: Api,
}

/// The run image with the app's layers on top, configured to start the app.
pub fn configure(run_image: &Image, layers: Vec<Layer>, request: &Configure, output: &Output) -> Result<Image> {
    let mut image = run_image.clone();
    image.layers.extend(layers);
    image.config.created = jiff::Timestamp::from_second(request.created.unwrap_or(CREATED))
        .map_err(|error| Error::new(format!("SOURCE_DATE_EPOCH is no time: {error}")))?
        .to_string();
    for layer in &mut image.layers {
        if request.platform_api < Api::new(0, 12) {
            // EXP-44.
            layer.history = History::default();
        }
        layer.history.created.clone_from(&image.config.created);
    }
    set_environment(&mut image, request);
    image.config.config.working_dir = request.app_in_image.into();
    image.config.config.entrypoint = Some(vec![entrypoint(request, output)?]);
    image.config.config.cmd = None;
    Ok(image)
}

/// The time in `SOURCE_DATE_EPOCH`; a value that is no whole number of seconds is warned of and ignored (IN-39).
pub fn source_date_epoch(value: Option<&str>, output: &Output) -> Option<i64> {
    let value = value.filter(|value| !value.is_empty())?;
    let seconds = value.parse().ok().filter(|seconds| jiff::Timestamp::from_second(*seconds).is_ok());
    if seconds.is_none() {
        output.warn("Ignoring invalid SOURCE_DATE_EPOCH");
    }
    seconds
}

/// EXP-19 to EXP-22.
fn set_environment(image: &mut Image, request: &Configure) {
    let config = &mut image.config;
    config.set_variable("CNB_LAYERS_DIR", request.layers_in_image);
    config.set_variable("CNB_APP_DIR", request.app_in_image);
    config.set_variable("CNB_PLATFORM_API", &request.platform_api.to_string());
    config.set_variable("CNB_DEPRECATION_MODE", "quiet");
    let mut path = vec![PROCESS_FOLDER, "/cnb/lifecycle"];
    let of_run_image = config.variable("PATH").unwrap_or_default().to_string();
    // An empty part of PATH would mean the current folder.
    path.extend((!of_run_image.is_empty()).then_some(of_run_image.as_str()));
    config.set_variable("PATH", &path.join(":"));
}

/// EXP-15, EXP-16.
fn entrypoint(request: &Configure, output: &Output) -> Result<String> {
    let default = match (request.process_type, request.default_process_type) {
        (Some(wanted), _) if !request.process_types.iter().any(|known| known == wanted) => {
            let known = request.process_types.join("`, `");
            let error = Error::new(format!("tried to set {wanted} to default but it doesn't exist")).code(62);
            return Err(if known.is_empty() { error } else { error.hint(format!("the app has the process types `{known}`")) });
        }
        (Some(wanted), _) => wanted,
        (None, Some(default)) if !default.is_empty() => default,
        (None, _) => {
            output.line("no default process type");
            return Ok(LAUNCHER_PATH.into());
        }
    };
    output.line(&format!("Setting default process type '{default}'"));
    Ok(format!("{PROCESS_FOLDER}/{default}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Descriptor, Digest, History, media_type};

    fn request<'a>(process_types: &'a [String]) -> Configure<'a> {
        Configure {
            layers_in_image: "/layers",
            app_in_image: "/workspace",
            process_types,
            process_type: None,
            default_process_type: None,
            created: None,
            platform_api: Api::new(0, 15),
        }
    }

    fn run_image(env: &[&str]) -> Image {
        let blob = Descriptor::of(media_type::LAYER_GZIP, b"blob");
        let history = History { created_by: "base".into(), created: "2026-01-01T00:00:00Z".into(), ..History::default() };
        let mut image = Image { layers: vec![Layer { blob, diff_id: Digest::of(b"tar"), history }], ..Image::default() };
        image.config.config.env = Some(env.iter().map(|variable| (*variable).to_string()).collect());
        image.config.config.cmd = Some(vec!["bash".into()]);
        image.config.config.user = "1002:1000".into();
        image.set_label("test.acme", "yes");
        image
    }

    /// EXP-17, EXP-18, EXP-19, EXP-20, EXP-21, EXP-23, TAR-12, TAR-13.
    #[test]
    fn the_app_is_started_and_the_rest_is_the_run_images() {
        let image = configure(&run_image(&["PATH=/bin", "LANG=C.UTF-8"]), vec![], &request(&[]), &Output::quiet()).unwrap();
        let config = &image.config.config;
        assert_eq!(
            config.env.as_deref().unwrap(),
            [
                "PATH=/cnb/process:/cnb/lifecycle:/bin",
                "LANG=C.UTF-8",
                "CNB_LAYERS_DIR=/layers",
                "CNB_APP_DIR=/workspace",
                "CNB_PLATFORM_API=0.15",
                "CNB_DEPRECATION_MODE=quiet",
            ]
        );
        assert_eq!((config.cmd.as_ref(), config.working_dir.as_str(), config.user.as_str()), (None, "/workspace", "1002:1000"));
        assert_eq!(image.label("test.acme"), Some("yes"));
        assert_eq!(image.config.created, "1980-01-01T00:00:01Z");
        assert_eq!(image.layers[0].history.created, "1980-01-01T00:00:01Z");
    }

    /// EXP-22: no empty part, which would be the current folder.
    #[test]
    fn a_run_image_without_path() {
        let image = configure(&run_image(&[]), vec![], &request(&[]), &Output::quiet()).unwrap();
        assert_eq!(image.config.variable("PATH"), Some("/cnb/process:/cnb/lifecycle"));
    }

    /// TAR-13, IN-39.
    #[test]
    fn the_time_may_be_given() {
        let request = Configure { created: Some(1_700_000_000), ..request(&[]) };
        let image = configure(&run_image(&[]), vec![], &request, &Output::quiet()).unwrap();
        assert_eq!(image.config.created, "2023-11-14T22:13:20Z");
        let values = [None, Some(""), Some("1700000000"), Some("-1"), Some("soon"), Some("99999999999999")];
        let expected = [None, None, Some(1_700_000_000), Some(-1), None, None];
        assert_eq!(values.map(|value| source_date_epoch(value, &Output::quiet())), expected);
    }

    /// EXP-15.
    #[test]
    fn the_entrypoint_is_chosen_by_the_person_then_the_buildpacks_then_the_launcher() {
        let types = ["web".to_string(), "worker".to_string()];
        let table = [
            (None, None, "/cnb/lifecycle/launcher"),
            (None, Some("web"), "/cnb/process/web"),
            (Some("worker"), Some("web"), "/cnb/process/worker"),
        ];
        for (process_type, default_process_type, expected) in table {
            let request = Configure { process_type, default_process_type, ..request(&types) };
            assert_eq!(entrypoint(&request, &Output::quiet()).unwrap(), expected);
        }
        let error = entrypoint(&Configure { process_type: Some("x"), ..request(&types) }, &Output::quiet()).unwrap_err();
        assert_eq!(error.to_string(), "tried to set x to default but it doesn't exist");
        assert_eq!((error.exit_code(), error.nearest_hint()), (62, Some("the app has the process types `web`, `worker`")));
    }
}
