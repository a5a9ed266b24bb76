// Windows cannot start a .cmd or .bat by itself: cmd.exe must, and it reads its line by rules of its own. This file is
// those rules, so that an argument reaches the server as it was declared and never becomes a second command.

export type ProgramLine = { file: string; args: string[]; verbatim: boolean };

/** How to start `file` with `args` without a shell, or with the one that Windows insists on. */
export function programLine(
  file: string,
  args: readonly string[],
  platform: NodeJS.Platform = process.platform,
  comspec = process.env['ComSpec'] ?? 'C:\\Windows\\System32\\cmd.exe',
): ProgramLine {
  if (platform !== 'win32' || !/\.(?:cmd|bat)$/i.test(file)) return { file, args: [...args], verbatim: false };
  // A batch file hands its arguments to a second reading (%*), so each is escaped twice.
  const line = [escapeMeta(`"${file}"`), ...args.map((arg) => escapeMeta(escapeMeta(quoted(arg))))].join(' ');
  return { file: comspec, args: ['/d', '/s', '/c', `"${line}"`], verbatim: true };
}

/** One argument as CommandLineToArgvW reads it: backslashes before a quote are doubled, the quote is escaped. */
function quoted(arg: string): string {
  return `"${arg.replace(/(\\*)"/g, '$1$1\\"').replace(/(\\*)$/, '$1$1')}"`;
}

/** What cmd.exe itself would act on. A line break cannot be escaped there, so it becomes a space. */
function escapeMeta(text: string): string {
  return text.replace(/[\r\n]+/g, ' ').replace(/[()\][%!^"`<>&|;, *?]/g, '^$&');
}
