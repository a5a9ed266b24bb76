// The window's language.
import { l10n } from 'vscode';
import type { Translate } from './translate.ts';

export const t: Translate = (english, ...args) => l10n.t(english, ...args);
