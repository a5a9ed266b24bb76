// A command line as a person types it into one field, as words: quotes and backslashes as in a shell, and nothing else
// of a shell. What would need one is refused rather than passed on as a word that means something else.
import { TunnelError } from './errors.ts';

/** Longest line that is read. */
export const maxCommandLine = 8192;

/** Throws `USAGE` for an unfinished quote, nothing at all, or a line that asks a shell for something. */
export function parseCommandLine(line: string): { command: string; args: string[] } {
  if (line.length > maxCommandLine) throw unusable(`it is longer than ${maxCommandLine} characters`);
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < line.length; at += 1) {
    const char = line[at] ?? '';
    if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (char === "'" || char === '"') {
      const quoted = readQuoted(line, at);
      word = (word ?? '') + quoted.text;
      at = quoted.end;
    } else if (char === '\\' && at + 1 < line.length) {
      word = (word ?? '') + line[(at += 1)];
    } else if (/[|&;<>()$`]/.test(char)) {
      throw unusable(`“${char}” is for a shell, and none is run: quote it, or put the line into a script`);
    } else {
      word = (word ?? '') + char;
    }
  }
  if (word !== undefined) words.push(word);
  const [command, ...args] = words;
  if (!command) throw unusable('there is no command in it');
  return { command, args };
}

/** As {@link parseCommandLine} reads it back. */
export function printCommandLine(command: string, args: readonly string[]): string {
  return [command, ...args].map(quote).join(' ');
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function readQuoted(line: string, start: number): { text: string; end: number } {
  const mark = line[start];
  let text = '';
  for (let at = start + 1; at < line.length; at += 1) {
    const char = line[at] ?? '';
    if (char === mark) return { text, end: at };
    const next = line[at + 1] ?? '';
    if (mark === '"' && char === '\\' && (next === '"' || next === '\\')) {
      text += next;
      at += 1;
    } else text += char;
  }
  throw unusable(`the quote that begins at character ${start + 1} does not end`);
}

const unusable = (why: string): TunnelError => new TunnelError('USAGE', `this command line cannot be used: ${why}`);
