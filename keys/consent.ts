import confirm from '@inquirer/confirm'
import { Refusal } from './answer.ts'

/** Says what is about to happen, on stderr, and goes on only with a yes. @throws {Refusal} */
export type Consent = (plan: string) => Promise<void>

export function createConsent({ yes = false }: { readonly yes?: boolean | undefined }): Consent {
  return async (plan) => {
    process.stderr.write(`${plan}\n`)
    if (yes) return
    if (!process.stdin.isTTY || !process.stderr.isTTY)
      throw new Refusal('Nothing was done: there is no terminal to ask at. Say yes with --yes.')
    if (!(await askAtTerminal())) throw new Refusal('Nothing was done.')
  }
}

/** Stdout stays free for the answer. */
async function askAtTerminal(): Promise<boolean> {
  try {
    return await confirm({ message: 'Go on?', default: false }, { output: process.stderr })
  } catch (error) {
    // Ctrl-C is a no.
    if (error instanceof Error && error.name === 'ExitPromptError') return false
    throw error
  }
}
