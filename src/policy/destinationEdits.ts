// Changes to the destinations that the user's policy file allows.
import { TunnelError } from '../core/errors.ts';
import { parseHostPattern } from './hostPattern.ts';
import { userDefaults } from './mergedPolicy.ts';
import { parsePolicy } from './policyFile.ts';
import { newPolicyText, withElement, withoutElement, withValue } from './policyText.ts';
import type { DestinationEntry } from './policySchema.ts';

/** Throws `POLICY_INVALID` when the file, or the entry, is no good. */
export function withDestination(old: string | undefined, entry: DestinationEntry, file: string): string {
  const text = old ?? newPolicyText();
  const { destinations } = parsePolicy(text, file);
  if (destinations?.some((known) => isSame(known, entry))) return text;
  const changed = destinations
    ? withElement(text, ['destinations'], destinations.length, entry)
    : withValue(text, ['destinations'], [...userDefaults.destinations, entry]);
  parsePolicy(changed, file);
  return changed;
}

/** Without every entry that names this destination, pinned or not. Throws `NOT_FOUND`, `POLICY_INVALID`. */
export function withoutDestination(old: string | undefined, entry: DestinationEntry, file: string): string {
  let text = old ?? newPolicyText();
  if (!parsePolicy(text, file).destinations) text = withValue(text, ['destinations'], userDefaults.destinations);
  const destinations = parsePolicy(text, file).destinations ?? [];
  const places = destinations.flatMap((known, place) => (names(known, entry) ? [place] : []));
  if (places.length === 0) {
    throw new TunnelError('NOT_FOUND', `${file} has no entry ${JSON.stringify(entry)}`, { data: { file } });
  }
  for (const place of places.toReversed()) text = withoutElement(text, ['destinations'], place);
  parsePolicy(text, file);
  return text;
}

function isSame(left: DestinationEntry, right: DestinationEntry): boolean {
  return names(left, right) && left.pin === right.pin && left.publicName === right.publicName;
}

/** What the wanted entry does not say, it does not ask for. */
function names(known: DestinationEntry, wanted: DestinationEntry): boolean {
  if (known.carrier !== wanted.carrier || known.service !== wanted.service) return false;
  if (normalHost(known.host) !== normalHost(wanted.host)) return false;
  if (wanted.pin !== undefined && wanted.pin !== known.pin) return false;
  return wanted.publicName === undefined || wanted.publicName === known.publicName;
}

function normalHost(text: string | undefined): string | undefined {
  const pattern = text === undefined ? undefined : parseHostPattern(text);
  return pattern ? `${pattern.host} ${pattern.port ?? 443}` : text;
}
