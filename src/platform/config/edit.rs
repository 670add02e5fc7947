//! Changes the user's configuration. What else stands in the file stays as it is written: comments, order, keys of other programs (CLI-47).

use super::Config;
use crate::error::{Advice, Context, Error, Result};
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, Value};

/// The file, while it is changed.
pub struct Edit {
    path: PathBuf,
    document: DocumentMut,
}

impl Edit {
    /// Opens the file; one that is not there is empty.
    ///
    /// # Errors
    /// When it cannot be read or makes no sense.
    pub fn open(path: &Path) -> Result<Self> {
        let describe = || format!("cannot change the configuration `{}`", path.display());
        // Many keep it elsewhere, and a link here.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            other => other.context(describe)?,
        };
        Config::parse(&text).context(describe).hint("correct the file by hand first")?;
        let document = text.parse().context(|| "it is no TOML").context(describe)?;
        Ok(Self { path, document })
    }

    /// The text of a plain key.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.document.get(key)?.as_str()
    }

    /// Whether a key says so.
    pub fn is_true(&self, key: &str) -> bool {
        self.document.get(key).and_then(Item::as_bool).unwrap_or_default()
    }

    /// Sets a plain key.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        let mut value = value.into();
        match self.document.get_mut(key).and_then(Item::as_value_mut) {
            Some(old) => {
                // A comment at the end of the line.
                *value.decor_mut() = old.decor().clone();
                *old = value;
            }
            None => {
                self.document.insert(key, Item::Value(value));
            }
        }
    }

    /// Removes a key; says whether it was there.
    pub fn unset(&mut self, key: &str) -> bool {
        self.document.remove(key).is_some()
    }

    /// Sets an entry of a table, or removes it; says whether it was there.
    ///
    /// # Errors
    /// When the key is no table.
    pub fn set_entry(&mut self, table: &str, key: &str, value: Option<&str>) -> Result<bool> {
        let item = self.document.entry(table).or_insert_with(|| Item::Table(Table::new()));
        let entries = item.as_table_like_mut().context(|| format!("`{table}` of the configuration is no table"))?;
        let was = match value {
            Some(value) => entries.insert(key, toml_edit::value(value)).is_some(),
            None => entries.remove(key).is_some(),
        };
        if entries.is_empty() {
            self.document.remove(table);
        }
        Ok(was)
    }

    /// Adds a table to a list of tables.
    ///
    /// # Errors
    /// When the key is no such list.
    pub fn add_table(&mut self, list: &str, fields: &[(&str, &str)]) -> Result<()> {
        let table: Table = fields.iter().map(|(key, value)| ((*key).to_string(), *value)).collect();
        self.tables(list)?.push(table);
        Ok(())
    }

    /// Removes the tables of a list in which `key` is `value`; says whether there were any.
    ///
    /// # Errors
    /// When the key is no such list.
    pub fn remove_table(&mut self, list: &str, key: &str, value: &str) -> Result<bool> {
        let tables = self.tables(list)?;
        let before = tables.len();
        tables.retain(|table| table.get(key).and_then(Item::as_str) != Some(value));
        let (after, is_empty) = (tables.len(), tables.is_empty());
        if is_empty {
            self.document.remove(list);
        }
        Ok(after < before)
    }

    /// Sets the mirrors of a run image; without any, it is forgotten.
    ///
    /// # Errors
    /// When the key is no list of run images.
    pub fn set_run_image(&mut self, image: &str, mirrors: &[String]) -> Result<()> {
        if mirrors.is_empty() {
            return self.remove_table("run-images", "image", image).map(drop);
        }
        let tables = self.tables("run-images")?;
        let is_there = tables.iter().any(|table| table.get("image").and_then(Item::as_str) == Some(image));
        if !is_there {
            self.add_table("run-images", &[("image", image)])?;
        }
        let list: Array = mirrors.iter().collect();
        let known = self.tables("run-images")?.iter_mut().find(|table| table.get("image").and_then(Item::as_str) == Some(image));
        known.context(|| format!("the configuration has no run image `{image}`"))?.insert("mirrors", toml_edit::value(list));
        Ok(())
    }

    fn tables(&mut self, list: &str) -> Result<&mut ArrayOfTables> {
        // They may stand in one line.
        if let Some(array) = self.document.get(list).and_then(Item::as_array) {
            let tables = array.iter().filter_map(Value::as_inline_table).map(|table| table.clone().into_table()).collect();
            self.document.remove(list);
            self.document.insert(list, Item::ArrayOfTables(tables));
        }
        let item = self.document.entry(list).or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
        item.as_array_of_tables_mut().context(|| format!("`{list}` of the configuration is no list of tables"))
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// When it would make no sense, or cannot be written.
    pub fn save(self) -> Result<()> {
        let text = self.document.to_string();
        let describe = || format!("cannot write the configuration `{}`", self.path.display());
        Config::parse(&text).context(describe)?;
        let folder = self.path.parent().ok_or_else(|| Error::new("it has no folder")).context(describe)?;
        fs::create_dir_all(folder).context(describe)?;
        let mut file = NamedTempFile::new_in(folder).context(describe)?;
        file.write_all(text.as_bytes()).context(describe)?;
        let permissions =
            fs::metadata(&self.path).map_or_else(|_| std::os::unix::fs::PermissionsExt::from_mode(0o644), |status| status.permissions());
        fs::set_permissions(file.path(), permissions).context(describe)?;
        file.as_file().sync_all().context(describe)?;
        file.persist(&self.path).map(drop).context(describe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(text: &str, change: impl FnOnce(&mut Edit) -> Result<()>) -> Result<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/config.toml");
        if !text.is_empty() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
        }
        let mut edit = Edit::open(&path)?;
        change(&mut edit)?;
        edit.save()?;
        Ok(fs::read_to_string(&path).unwrap())
    }

    /// CLI-47.
    #[test]
    fn what_a_person_wrote_stays() {
        let text = "# mine\n\ndefault-builder-image = 'a' # for now\nother = [1,\n 2]\n\n[mirrors]\ndebian = 'x' # near\n";
        let changed = edited(text, |edit| {
            edit.set("default-builder-image", "b");
            edit.set_entry("registry-mirrors", "*", Some("m.test")).map(drop)
        });
        let expected = text.replace("'a'", "\"b\"") + "\n[registry-mirrors]\n\"*\" = \"m.test\"\n";
        assert_eq!(changed.unwrap(), expected);
        let back = edited(&expected, |edit| {
            assert!(edit.unset("default-builder-image") && !edit.unset("none"));
            edit.set_entry("registry-mirrors", "*", None).map(drop)
        });
        assert_eq!(back.unwrap(), "other = [1,\n 2]\n\n[mirrors]\ndebian = 'x' # near\n");
    }

    /// CLI-47.
    #[test]
    fn lists_grow_and_shrink() {
        let run = |mirrors: &'static [&'static str]| {
            move |edit: &mut Edit| edit.set_run_image("run", &mirrors.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let added = edited("", run(&["a.test/run", "b.test/run"])).unwrap();
        assert_eq!(added, "[[run-images]]\nimage = \"run\"\nmirrors = [\"a.test/run\", \"b.test/run\"]\n");
        assert_eq!(edited(&added, run(&["b.test/run"])).unwrap(), "[[run-images]]\nimage = \"run\"\nmirrors = [\"b.test/run\"]\n");
        assert_eq!(edited(&added, run(&[])).unwrap(), "");
        let one_line = "trusted-builders = [{ name = 'a' }, { name = 'b' }]\n";
        let changed = edited(one_line, |edit| {
            assert!(edit.remove_table("trusted-builders", "name", "a")?);
            edit.add_table("trusted-builders", &[("name", "c")])
        });
        assert_eq!(changed.unwrap(), "[[trusted-builders]]\nname = 'b'\n\n[[trusted-builders]]\nname = \"c\"\n");
    }

    #[test]
    fn a_file_that_makes_no_sense_is_not_touched() {
        for text in ["pull-policy = 'sometimes'\n", "=\n"] {
            assert!(edited(text, |_| Ok(())).is_err(), "{text}");
        }
        assert!(
            edited("", |edit| {
                edit.set("pull-policy", "sometimes");
                Ok(())
            })
            .is_err()
        );
        assert!(edited("registry-mirrors = 1\n", |_| Ok(())).is_err());
    }
}
