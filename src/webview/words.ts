// The page's words: English until the host has sent those of its window's language.
import { inspectorText, type InspectorTextKey } from '../protocol/inspectorText.ts';
import { fill } from './format.ts';

export class Words {
  #text: Record<string, string> = inspectorText;

  use(translated: Record<string, string>): void {
    this.#text = { ...inspectorText, ...translated };
  }

  readonly get = (key: InspectorTextKey, ...values: (string | number)[]): string =>
    fill(this.#text[key] ?? inspectorText[key], ...values);
}
