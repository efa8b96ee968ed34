/** Checks contender after contender and says how they did. */
import type { Contender } from '../contenders/contender.ts';
import type { Stand } from '../setup/stand.ts';
import { checkContender } from './answers.ts';

/** Prints a line for each and returns those that may be timed. */
export async function checkAll(
  stand: Stand,
  contenders: readonly Contender[],
  thoroughPort: number,
  progress: (text: string) => void,
): Promise<Contender[]> {
  const good: Contender[] = [];
  for (const contender of contenders) {
    const missing = stand.missing.get(contender.origin);
    if (missing !== undefined) {
      console.log(`${contender.title}: cannot be had here: ${missing}`);
      continue;
    }
    progress(`checking ${contender.title}`);
    const wrong = await whatIsWrong(stand, contender, thoroughPort);
    progress('');
    console.log(`${contender.title}: ${wrong.length === 0 ? 'answers correctly' : 'ANSWERS WRONGLY, and is left out'}`);
    for (const line of wrong) console.log(`  ${line}`);
    if (wrong.length === 0) good.push(contender);
  }
  return good;
}

async function whatIsWrong(stand: Stand, contender: Contender, thoroughPort: number): Promise<string[]> {
  try {
    return await checkContender(stand, contender, thoroughPort);
  } catch (error) {
    // It did not even start.
    return [error instanceof Error ? error.message : String(error)];
  }
}
