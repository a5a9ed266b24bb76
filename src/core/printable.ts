// Words of strangers on their way to a terminal, a log or a screen: on one line, without anything that a terminal obeys
// or that turns the text around it.

// Controls; zero-width, line-breaking and direction-changing characters; halves of characters.
const unsafe = /[\p{Cc}\p{Cs}\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;

export function printable(text: string, maxLength = 300): string {
  const safe = text.replace(unsafe, '?');
  return safe.length <= maxLength ? safe : `${safe.slice(0, maxLength)}…`;
}
