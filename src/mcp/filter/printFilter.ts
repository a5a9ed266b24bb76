// A filter as text: what `parseFilter` reads as the same filter again.
import type { Filter, Range, Term } from './filter.ts';
import { keyPattern } from './parseFilter.ts';

export function printFilter({ terms }: Filter): string {
  return terms.map((term) => (term.negated ? '-' : '') + printTerm(term)).join(' ');
}

function printTerm(term: Term): string {
  switch (term.kind) {
    case 'word':
      return printWord(term.text);
    case 'text':
      return `text:${term.texts.map(printValue).join(',')}`;
    case 'name':
      return `${term.key}:${term.patterns.map(({ text, exact }) => (exact ? quote(text) : printValue(text))).join(',')}`;
    case 'choice':
      return `${term.key}:${term.values.join(',')}`;
    case 'range':
      return `${term.key}:${term.ranges.map(printRange).join(',')}`;
  }
}

/** A value as it stands after a key: quoted where it must be. */
export function printValue(text: string): string {
  return /^[^\s,"]+$/.test(text) ? text : quote(text);
}

function printWord(text: string): string {
  keyPattern.lastIndex = 0;
  return /^[^\s"-]\S*$/.test(text) && !keyPattern.test(text) ? text : quote(text);
}

function quote(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

function printRange(range: Range): string {
  switch (range.kind) {
    case 'than':
      return `${range.sign}${range.value}`;
    case 'between':
      return `${range.from}..${range.to}`;
    case 'is':
      return String(range.value);
  }
}
