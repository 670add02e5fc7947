//! Instructions that describe how a container of the image is run.

use super::dockerfile::Flag;
use super::duration::duration;
use crate::error::{Context, Error, Result};
use crate::image::Image;
use serde_json::{Map, Value, json};

/// `EXPOSE PORT[-PORT][/PROTOCOL] …`.
pub(super) fn expose(image: &mut Image, ports: &[String]) -> Result<()> {
    for port in ports.iter().flat_map(|ports| ports.split_whitespace()) {
        let (range, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
        let valid = ["tcp", "udp", "sctp"].contains(&protocol.to_ascii_lowercase().as_str());
        let (Some(first), Some(last), true) = (number(first), number(last), valid) else {
            return Err(Error::new(format!("`{port}` is not a port")));
        };
        let exposed = image.config.config.exposed_ports.get_or_insert_default();
        for port in first..=last {
            exposed.insert(format!("{port}/{}", protocol.to_ascii_lowercase()), json!({}));
        }
    }
    Ok(())
}

/// `VOLUME`.
pub(super) fn volumes(image: &mut Image, folders: &[String]) {
    let volumes = image.config.config.volumes.get_or_insert_default();
    volumes.extend(folders.iter().map(|folder| (folder.clone(), json!({}))));
}

/// `HEALTHCHECK`; no words mean that there is none.
pub(super) fn healthcheck(image: &mut Image, flags: &[Flag], words: Option<Vec<String>>, shell: bool) -> Result<()> {
    let mut check = Map::new();
    let kind = match (&words, shell) {
        (None, _) => "NONE",
        (Some(_), true) => "CMD-SHELL",
        (Some(_), false) => "CMD",
    };
    let test: Vec<String> = std::iter::once(kind.to_string()).chain(words.into_iter().flatten()).collect();
    check.insert("Test".into(), json!(test));
    for flag in flags {
        let bad = || format!("`--{}={}` is not understood", flag.name, flag.value);
        let key = match flag.name.as_str() {
            "interval" => "Interval",
            "timeout" => "Timeout",
            "start-period" => "StartPeriod",
            "start-interval" => "StartInterval",
            "retries" => {
                check.insert("Retries".into(), json!(flag.value.parse::<u32>().context(bad)?));
                continue;
            }
            _ => return Err(Error::new(bad())),
        };
        let nanoseconds = duration(&flag.value).and_then(|duration| u64::try_from(duration.as_nanos()).ok()).context(bad)?;
        check.insert(key.into(), json!(nanoseconds));
    }
    image.config.config.healthcheck = Some(Value::Object(check));
    Ok(())
}

/// `ONBUILD`.
pub(super) fn onbuild(image: &mut Image, instruction: &str) {
    let kept = image.config.config.other.entry("OnBuild".into()).or_insert_with(|| json!([]));
    if !kept.is_array() {
        *kept = json!([]);
    }
    if let Value::Array(kept) = kept {
        kept.push(instruction.into());
    }
}
