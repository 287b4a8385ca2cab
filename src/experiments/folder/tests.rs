//! What is kept comes back, and nothing that lies in a folder does harm.

use super::*;

const EVIL: &str = "</svg></section><script>alert(1)</script><img src=x onerror=alert(1)>\"'&";

/// A result of `graph-size`, every text in it being `text`.
fn result(text: &str) -> Finished {
    let row = |depth: usize| {
        let times = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5].map(|x| x * depth as f64);
        serde_json::json!({
            "depth": depth, "nodes": 5 * depth, "numbers": 100 * depth, "bytes": 2000 * depth,
            "forward": times, "backward": times,
        })
    };
    let rows = Rows::of(&[8, 192, 256].map(row));
    let experiment = find("graph-size").unwrap();
    let outcome = experiment.report(&rows).unwrap();
    let settings = Settings {
        experiment: experiment.name.into(),
        version: text.into(),
        edition: experiment.edition(),
        quick: true,
        seed: 1,
        data: text.into(),
        checksum: 7,
    };
    Finished::new(settings, text.into(), 1.5, Measured { rows, outcome })
}

/// A folder with that result, inside of another one.
fn kept(finished: &Finished) -> (tempfile::TempDir, ReportFolder) {
    let parent = tempfile::tempdir().unwrap();
    let folder = ReportFolder::open(parent.path().join("report")).unwrap();
    folder.keep(finished).unwrap();
    folder.write_page().unwrap();
    (parent, folder)
}

fn page(folder: &ReportFolder) -> String {
    fs::read_to_string(folder.page()).unwrap()
}

#[test]
fn what_is_kept_is_read_again_to_the_last_bit() {
    let finished = result("plain");
    let (_parent, folder) = kept(&finished);
    let again = folder.finished("graph-size").unwrap().unwrap();
    assert_eq!(again, finished);
    assert_eq!(files(&again), files(&finished));
    assert_eq!(folder.finished("spiral").unwrap(), None);
}

#[test]
fn nothing_that_is_kept_is_markup() {
    let (_parent, folder) = kept(&result(EVIL));
    let path = folder.path.join("graph-size");
    let svg = fs::read_to_string(path.join("growth.svg")).unwrap();
    assert!(page(&folder).contains("&lt;script&gt;"));
    // The page has a script of its own.
    for (text, scripts) in [(page(&folder), 1), (svg, 0)] {
        // `<image` is an element of a drawing.
        assert!(text.matches("<script").count() == scripts && !text.contains("<img"), "{text}");
        assert!(!text.contains("<script>alert"), "{text}");
    }
    let json = fs::read_to_string(path.join(RESULT)).unwrap();
    for tag in ["<svg", "<text", "<polyline", "<image", "<path"] {
        assert!(!json.contains(tag), "{tag}");
    }
}

/// Numbers that no run gives, with the right checksum: no report can be made of them, and none is.
#[test]
fn rows_that_are_none_are_refused() {
    let (_parent, folder) = kept(&result("plain"));
    let edition = find("spiral").unwrap().edition();
    let settings = Settings { experiment: "spiral".into(), edition, ..result("plain").settings };
    let points = serde_json::json!({"places": [], "arms": []});
    let empty = serde_json::json!({"test": points, "stages": [], "losses": [], "runs": []});
    for (rows, why) in [(serde_json::json!([1, 2]), "invalid"), (empty, "no report")] {
        let measured = Measured { rows: Rows::of(&rows), outcome: Outcome::default() };
        folder.keep(&Finished::new(settings.clone(), "c".into(), 1.0, measured)).unwrap();
        folder.write_page().unwrap();
        let error = folder.finished("spiral").unwrap_err().to_string();
        assert!(error.contains(why) && !error.contains(|c: char| c.is_control()), "{error}");
        assert!(!page(&folder).contains("id=\"spiral\""));
    }
}

#[test]
fn a_result_that_is_none_is_refused_with_the_reason() {
    let (_parent, folder) = kept(&result("plain"));
    let path = folder.path.join("graph-size").join(RESULT);
    let json = fs::read_to_string(&path).unwrap();
    let (nested, edition) = ("[".repeat(1 << 20), find("graph-size").unwrap().edition());
    for (text, why) in [
        ("", "EOF"),
        (&json[..json.len() - 1], "EOF"),
        (&nested, "line 1 column"),
        (&format!("{{\"more\":{nested}"), "EOF"),
        (&json.replacen('{', "{\"command\":\"a\",", 1), "duplicate field"),
        (&json.replace("\"seconds\":1.5", "\"seconds\":1e300"), "seconds"),
        (&json.replace("\"seconds\":1.5", "\"seconds\":-1"), "seconds"),
        (&json.replace("\"seconds\":1.5", "\"seconds\":1e999"), "out of range"),
        (&json.replace("\"seed\":1", "\"seed\":\"\\u001b[31m\""), "invalid type"),
        (&json.replace("\"experiment\":\"graph-size\"", "\"experiment\":\"spiral\""), "another experiment"),
        (
            &json.replace("\"experiment\":\"graph-size\"", "\"experiment\":\"../spiral\""),
            "another experiment",
        ),
        (
            &json.replace(&format!("\"edition\":{edition}"), "\"edition\":99"),
            &format!(
                "by edition 99 of the experiment, and this version has edition {edition}; a new run replaces it"
            ),
        ),
        (&json.replace("\"depth\":8", "\"depth\":9"), "has been edited"),
    ] {
        fs::write(&path, text).unwrap();
        let error = folder.finished("graph-size").unwrap_err().to_string();
        assert!(error.contains(why) && error.len() < 500, "{why}: {error}");
        assert!(!error.contains(|c: char| c.is_control()), "{error:?}");
    }
    // It claims to be larger than anything that is read, and takes no room.
    File::create(&path).unwrap().set_len(1 << 40).unwrap();
    assert!(folder.finished("graph-size").unwrap_err().to_string().contains("more than"));
    for name in ["../report", "", "graph-size/..", "/", "nonsense"] {
        assert!(matches!(folder.finished(name), Err(Error::Setting { .. })), "{name}");
        assert!(folder.check(name).is_err(), "{name}");
        let mut foreign = result("plain");
        foreign.settings.experiment = name.into();
        assert!(folder.keep(&foreign).is_err() && folder.restore(&foreign).is_err(), "{name}");
    }
}

#[test]
fn files_beside_a_result_become_its_own_again() {
    let finished = result("plain");
    let (_parent, folder) = kept(&finished);
    let svg = folder.path.join("graph-size/growth.svg");
    let right = fs::read(&svg).unwrap();
    fs::write(&svg, "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>").unwrap();
    fs::remove_file(folder.path.join("graph-size/growth.csv")).unwrap();
    folder.restore(&finished).unwrap();
    assert_eq!(fs::read(&svg).unwrap(), right);
    assert!(folder.path.join("graph-size/growth.csv").is_file());
}

#[cfg(unix)]
#[test]
fn links_in_the_folder_are_not_followed() {
    use std::os::unix::fs::symlink;
    let finished = result("plain");
    let (parent, folder) = kept(&finished);
    let victim = parent.path().join("victim");
    let inside = folder.path.join("graph-size");
    let places = [folder.page(), inside.join(RESULT), inside.join("growth.svg"), inside.join("growth.csv")];
    for target in [victim.clone(), parent.path().join("nowhere"), "/dev/zero".into()] {
        fs::write(&victim, "precious").unwrap();
        let link_all = || {
            for place in &places {
                fs::remove_file(place).unwrap();
                symlink(&target, place).unwrap();
            }
        };
        link_all();
        let error = folder.finished("graph-size").unwrap_err().to_string();
        assert!(error.contains("not a regular file"), "{error}");
        folder.check("graph-size").unwrap();
        let folder = ReportFolder::open(&folder.path).unwrap();
        folder.restore(&finished).unwrap();
        link_all();
        folder.keep(&finished).unwrap();
        folder.write_page().unwrap();
        for place in &places {
            assert!(fs::symlink_metadata(place).unwrap().is_file(), "{}", place.display());
        }
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert!(!parent.path().join("nowhere").exists());
    }
    // A marker that is a link tells nothing about the folder.
    fs::write(&victim, MARKER_TEXT).unwrap();
    fs::remove_file(folder.path.join(MARKER)).unwrap();
    symlink(&victim, folder.path.join(MARKER)).unwrap();
    assert!(ReportFolder::open(&folder.path).is_err());

    let elsewhere = parent.path().join("elsewhere");
    fs::rename(&inside, &elsewhere).unwrap();
    let there = || fs::read_dir(&elsewhere).unwrap().count();
    let before = there();
    symlink(&elsewhere, &inside).unwrap();
    for result in [
        folder.check("graph-size"),
        folder.finished("graph-size").map(drop),
        folder.keep(&result("other")),
        folder.restore(&finished),
    ] {
        assert!(result.unwrap_err().to_string().contains("graph-size: a link"));
    }
    assert_eq!(there(), before);
}
