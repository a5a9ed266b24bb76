// Characters that a model reads and a person does not see, or that a terminal obeys. What scripts and emoji need is left
// alone: joiners between their letters, variation selectors, the tags of flags.

const tagFlag = /\u{1F3F4}[\u{E0020}-\u{E007E}]+\u{E007F}/gu;
/** Zero-width joiners have work to do beside letters that join, and in emoji. */
const joining = /(?<=\p{M}|\p{Extended_Pictographic}|\p{Emoji_Modifier}|[^\p{ASCII}\P{L}])[\u200C\u200D]/gu;
const hidden =
  /[\u{AD}\u{61C}\u{180E}\u{200B}-\u{200F}\u{202A}-\u{202E}\u{2060}-\u{2069}\u{FEFF}\u{FFF9}-\u{FFFB}\u{E0000}-\u{E007F}]|[\u{E0100}-\u{E01EF}]/gu;
// eslint-disable-next-line no-control-regex
const controls = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g;

/** Which there are, as `U+200B`; each once. */
export function hiddenCharacters(text: string): string[] {
  return codes(text.replace(tagFlag, '').replace(joining, ''), hidden);
}

/** Escapes, and every other control character but tab and the ends of lines. */
export function controlCharacters(text: string): string[] {
  return codes(text, controls);
}

/** Whether letters of scripts that look alike stand in one word: Latin beside Cyrillic or Greek. */
export function mixesScripts(name: string): boolean {
  return /\p{Script=Latin}/u.test(name) && /[\p{Script=Cyrillic}\p{Script=Greek}]/u.test(name);
}

/** What a name looks like: two names with the same look are easily taken for each other. */
export function lookOf(name: string): string {
  const letters = Array.from(name.normalize('NFKD').toLowerCase())
    .map((letter) => LOOKS[letter] ?? letter)
    .join('');
  return letters
    .replace(/[^\p{L}\p{N}]/gu, '')
    .replaceAll('rn', 'm')
    .replaceAll('vv', 'w');
}

const LOOKS: Record<string, string> = {
  '0': 'o',
  '1': 'l',
  i: 'l',
  '5': 's',
  а: 'a',
  е: 'e',
  о: 'o',
  р: 'p',
  с: 'c',
  у: 'y',
  х: 'x',
  і: 'l',
  ј: 'j',
  ѕ: 's',
  ԁ: 'd',
  ո: 'n',
  ο: 'o',
  α: 'a',
  ν: 'v',
  ι: 'l',
  ρ: 'p',
};

function codes(text: string, pattern: RegExp): string[] {
  const found = new Set(text.match(pattern) ?? []);
  return [...found].map((character) => `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`);
}
