//! Shell scripts as commands of words, near enough to judge them; nothing is expanded.

/// A simple command: its words, quotes removed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Command {
    pub(crate) words: Vec<String>,
}

impl Command {
    /// The program without its folder, after assignments and words such as `exec`.
    pub(crate) fn program(&self) -> &str {
        let word = self.words.iter().find(|word| {
            let prefixed = [
                "exec", "sudo", "time", "nohup", "env", "command", "then", "do", "if", "!",
                "while", "until", "else",
            ];
            !is_assignment(word) && !prefixed.contains(&word.as_str())
        });
        word.map_or("", |word| word.rsplit('/').next().unwrap_or_default())
    }

    /// Whether it only says something to people.
    pub(crate) fn is_message(&self) -> bool {
        matches!(
            self.program(),
            "echo" | "printf" | "log" | "logger" | "info" | "warn"
        ) && !self
            .words
            .iter()
            .any(|word| word.starts_with('>') || word.contains("/dev/tcp/"))
    }
}

/// `NAME=…`
pub(crate) fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

/// Whether an argument is a script for the shell before it, or looks like one.
pub(crate) fn is_script(before: Option<&str>, text: &str) -> bool {
    let after_c = before.is_some_and(|flag| {
        flag.starts_with('-') && !flag.starts_with("--") && flag.ends_with('c') && flag.len() <= 8
    });
    after_c || text.contains('\n') || text.contains("&&") || text.contains("; ")
}

#[derive(Default)]
struct Parser {
    commands: Vec<Command>,
    command: Command,
    word: String,
    in_word: bool,
}

impl Parser {
    fn end_word(&mut self) {
        if self.in_word {
            self.command.words.push(std::mem::take(&mut self.word));
            self.in_word = false;
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        if !self.command.words.is_empty() {
            self.commands.push(std::mem::take(&mut self.command));
        }
    }

    fn push(&mut self, letter: char) {
        self.word.push(letter);
        self.in_word = true;
    }
}

/// The commands of a script, comments left out. `$(…)` stays in the word it stands in.
pub(crate) fn commands(script: &str) -> Vec<Command> {
    let mut parser = Parser::default();
    let mut letters = script.chars().peekable();
    let mut quote: Option<char> = None;
    let mut depth = 0_usize;
    while let Some(letter) = letters.next() {
        if let Some(open) = quote {
            match letter {
                _ if letter == open => quote = None,
                '\\' if open == '"' => {
                    if let Some(next) = letters.next() {
                        if !matches!(next, '"' | '\n') {
                            parser.push(letter);
                        }
                        parser.push(next);
                    }
                }
                _ => parser.push(letter),
            }
            continue;
        }
        match letter {
            '\'' | '"' => {
                quote = Some(letter);
                parser.in_word = true;
            }
            '\\' => match letters.next() {
                Some('\n') | None => {}
                Some(next) => parser.push(next),
            },
            '$' if letters.peek() == Some(&'(') => {
                depth += 1;
                parser.push(letter);
                parser.push('(');
                letters.next();
            }
            '(' if depth > 0 => {
                depth += 1;
                parser.push(letter);
            }
            ')' if depth > 0 => {
                depth -= 1;
                parser.push(letter);
            }
            _ if depth > 0 => parser.push(letter),
            '#' if !parser.in_word => while letters.next_if(|next| *next != '\n').is_some() {},
            '>' | '<' => {
                parser.end_word();
                parser.push(letter);
                while let Some(next) = letters.next_if(|next| matches!(next, '>' | '<' | '&' | ' '))
                {
                    if next != ' ' {
                        parser.push(next);
                    }
                }
            }
            '\n' | ';' | '&' | '|' | '(' | ')' => parser.end_command(),
            _ if letter.is_whitespace() => parser.end_word(),
            _ => parser.push(letter),
        }
    }
    parser.end_command();
    parser.commands
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(script: &str) -> Vec<Vec<String>> {
        commands(script)
            .into_iter()
            .map(|command| command.words)
            .collect()
    }

    #[test]
    fn scripts_are_read_as_commands() {
        assert_eq!(
            words(
                "set -e\nexport A='x y' # why\ncurl \"http://a/\" && echo $(cat /f 'q') | tee out"
            ),
            [
                vec!["set", "-e"],
                vec!["export", "A=x y"],
                vec!["curl", "http://a/"],
                vec!["echo", "$(cat /f q)"],
                vec!["tee", "out"],
            ]
        );
        assert_eq!(words("# localhost\na#b"), [["a#b"]]);
        assert_eq!(words("a \\\n  b"), [["a", "b"]]);
        assert_eq!(
            words("echo x >> /etc/hosts"),
            [["echo", "x", ">>/etc/hosts"]]
        );
    }

    #[test]
    fn the_program_is_found_behind_assignments() {
        let program = |script| commands(script).first().map(|one| one.program().to_owned());
        assert_eq!(
            program("A=1 exec /usr/bin/psql -h db").as_deref(),
            Some("psql")
        );
        assert!(commands("echo use localhost")[0].is_message());
        assert!(!commands("echo 127.0.0.1 db >> /etc/hosts")[0].is_message());
    }
}
