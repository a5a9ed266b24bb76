// How text for people is made: the English text with `{0}` places, in the language of the window. Handed in, so that
// what decides on words can be tested without VS Code. Only literals may be passed: `l10n/bundle.l10n.json` lists them.

export type Translate = (english: string, ...args: (string | number)[]) => string;
