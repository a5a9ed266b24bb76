// Texts that must not appear in what the inspector shows and the log keeps: tokens that were minted here, and what came
// with the declarations of servers.
import { maxSecrets } from '../traffic/redact.ts';

/** At {@link maxSecrets} the one that was told longest ago makes room: no more are looked for. */
export class KnownSecrets {
  readonly #secrets = new Set<string>();

  readonly add = (secret: string): void => {
    this.#secrets.delete(secret); // Told again, it is young again.
    this.#secrets.add(secret);
    if (this.#secrets.size > maxSecrets) this.#secrets.delete(this.#secrets.values().next().value!);
  };

  readonly list = (): readonly string[] => [...this.#secrets];
}
