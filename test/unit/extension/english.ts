// Texts as an English window shows them.
import type { Translate } from '../../../src/extension/translate.ts';

export const english: Translate = (text, ...args) =>
  text.replace(/\{(\d+)\}/g, (place, index: string) => String(args[Number(index)] ?? place));
