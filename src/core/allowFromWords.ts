// Whom a tunnel lets in by address, for a person: few words, however long the list.

/** `anthropic, AS64500 and 3 networks`, from what was written. */
export function allowFromWords(allowFrom: readonly string[]): string {
  const networks = allowFrom.filter((entry) => entry.includes('.') || entry.includes(':'));
  const named = allowFrom.filter((entry) => !networks.includes(entry));
  const few = networks.length <= 3 ? networks : [`${networks.length} networks`];
  const words = [...named, ...few];
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}
