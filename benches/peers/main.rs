//! One side of the comparison with other frameworks: does the work that it is told to, when it is told to.
//!
//!     cargo bench --bench peers -- list             # names
//!     cargo bench --bench peers -- profile W5       # where its time goes, step by step
//!     cargo bench --bench peers -- numbers W5 FILE  # what the work starts from, as an .npz file
//!     cargo bench --bench peers -- serve W5         # then "start" and "time SECONDS" on standard input
//!
//! `compare.py` beside this file runs it in turns with the other frameworks.

mod workloads;

use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use workloads::{Workload, all};

fn find(name: Option<&String>) -> Result<Workload> {
    let name = name.context("which workload? `list` names them")?;
    let found = all().into_iter().find(|w| w.name == name);
    found.with_context(|| format!("no workload is called {name}; `list` names them"))
}

/// Answers each line of standard input by one line of JSON.
fn serve(work: &Workload) -> Result<()> {
    let mut job = work.prepare()?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let answer = match line.split_once(' ').unwrap_or((&line, "")) {
            ("start", "") => {
                let mut values = Vec::new();
                for _ in 0..5 {
                    values.push(job.run()?);
                }
                serde_json::json!({ "value": values[4] })
            }
            ("time", seconds) => {
                let end = Instant::now() + Duration::from_secs_f64(seconds.parse()?);
                let mut each = Vec::new();
                while each.is_empty() || Instant::now() < end {
                    let start = Instant::now();
                    job.run()?;
                    each.push(start.elapsed().as_secs_f64() * 1e6);
                }
                each.sort_by(f64::total_cmp);
                serde_json::json!({ "median_us": each[each.len() / 2], "least_us": each[0], "runs": each.len() })
            }
            _ => bail!("\"{line}\" is neither \"start\" nor \"time SECONDS\""),
        };
        println!("{answer}");
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.first().map(String::as_str) {
        Some("numbers") => {
            let work = find(words.get(1))?;
            let path = words.get(2).context("where to?")?;
            let numbers = work.numbers();
            Ok(chainrule::tensor::io::npz::write(path, numbers.iter().map(|(name, t)| (name, t)))?)
        }
        Some("serve") => serve(&find(words.get(1))?),
        Some("list") => {
            all().iter().for_each(|w| println!("{}\t{}\t{}", w.name, w.task.words(), w.what));
            Ok(())
        }
        Some("profile") => {
            let work = find(words.get(1))?;
            let profile = work.prepare()?.profile(20)?;
            println!("{profile}");
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../out");
            let path = format!("{folder}/profile-{}.svg", work.name);
            std::fs::create_dir_all(folder)?;
            std::fs::write(&path, profile.svg())?;
            println!("drawn in {path}");
            Ok(())
        }
        _ => bail!("say `list`, `profile WORKLOAD`, `numbers WORKLOAD FILE` or `serve WORKLOAD`"),
    }
}
