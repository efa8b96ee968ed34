/** What a config is made of, as texts: from flags, from questions, from proposals. */
import type { Proposal } from '../../delegation/plan/propose.ts';

/** Answers by question; absent: does not apply. An empty text: nothing of the kind is wanted. */
export type Answers = Partial<Record<QuestionKey, string>>;

/** The questions are named as their flags are. */
export type QuestionKey =
  | 'server-name'
  | 'homeserver'
  | 'kind'
  | 'delegation'
  | 'delegated-name'
  | 'base-domain'
  | 'host'
  | 'certificates'
  | 'agree-to-terms'
  | 'email'
  | 'challenge'
  | 'dns-records';

/** One question. */
export interface Question {
  readonly key: QuestionKey;
  /** As it is put to a person. */
  readonly text: string;
  /** The flag's help. */
  readonly help: string;
  /** Name of the flag's value; null: a switch, and the question is one of yes or no. */
  readonly value: string | null;
  /** The only answers that are taken; absent: any text. */
  readonly choices?: readonly string[];
  /** Whether it has to be asked after these answers. */
  applies(answers: Answers): boolean;
  /** What is taken when nothing is said; null: something has to be said. */
  proposed(answers: Answers, proposal: Proposal): string | null;
}
