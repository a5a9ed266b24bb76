// How states, destinations and ages are called on the screen: the same words in trees, pickers and notifications.
import { roughDuration } from '../core/duration.ts';
import type { Destination, Privacy, TunnelState } from '../protocol/control.ts';
import type { Translate } from './translate.ts';

export function destinationLabel(destination: Destination, t: Translate): string {
  return destination.carrier === 'embedded' ? t('This machine only') : destination.host;
}

export function privacyLabel(privacy: Privacy, t: Translate): string {
  switch (privacy) {
    case 'end-to-end':
      return t('end-to-end encrypted');
    case 'carrier-reads':
      return t('the carrier can read it');
  }
}

export function stateLabel(state: TunnelState, nowMs: number, t: Translate): string {
  switch (state.kind) {
    case 'stopped':
      return t('stopped');
    case 'starting':
      return t('starting');
    case 'connecting':
      return state.attempt > 1 ? t('connecting, attempt {0}', state.attempt) : t('connecting');
    case 'connected':
      return t('connected');
    case 'waiting':
      return t('waiting, next attempt in {0}', roughDuration(state.retryAtMs - nowMs));
    case 'failed':
      return t('failed');
  }
}

export function ageLabel(atMs: number, nowMs: number, t: Translate): string {
  const ageMs = nowMs - atMs;
  return ageMs < 5_000 ? t('just now') : t('{0} ago', roughDuration(ageMs).replace(/(\d[hdm])\d+[sm]$/, '$1'));
}
