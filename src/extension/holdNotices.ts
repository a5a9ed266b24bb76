// A notification for each call that begins to wait. Those beyond a few are only rows in the tree: an agent that calls
// a hundred times must not cover the screen.
import type { HeldCall } from '../mcp/heldCall.ts';
import type { App } from './app.ts';
import { answer, editCall } from './holdCommands.ts';
import { shortened } from './holdTree.ts';
import { showWarning } from './messages.ts';
import { showFailure } from './notify.ts';
import { t } from './vscodeTranslate.ts';

/** Notifications of calls that still wait. */
export const maxNotices = 3;

/** Characters of arguments that a notification has room for. */
const maxShown = 200;

export class HoldNotices {
  readonly #app: () => App;
  /** Calls that were shown, while they wait. */
  readonly #shown = new Set<string>();

  constructor(app: () => App) {
    this.#app = app;
  }

  /** What waits now. */
  accept(held: readonly HeldCall[]): void {
    const waiting = new Set(held.map(({ id }) => id));
    for (const id of this.#shown) if (!waiting.has(id)) this.#shown.delete(id);
    for (const call of held) {
      if (this.#shown.has(call.id) || this.#shown.size >= maxNotices) continue;
      this.#shown.add(call.id);
      this.#show(call).catch((error: unknown) => showFailure(this.#app(), error));
    }
  }

  async #show(call: HeldCall): Promise<void> {
    const app = this.#app();
    const [go, deny, edit] = [t('Continue'), t('Deny'), t('Edit…')];
    const text = t('{0} calls {1} and waits for you: {2}', call.agent, call.tool, shortened(call.arguments, maxShown));
    const pressed = await showWarning(text, go, deny, ...(call.isWhole ? [edit] : []));
    if (pressed === go) await answer(app, call, { kind: 'continue' });
    if (pressed === deny) await answer(app, call, { kind: 'deny' });
    if (pressed === edit) await editCall(app, call);
  }
}
