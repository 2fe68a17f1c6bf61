/** How the operator's tools are run: what they refuse becomes one sentence on stderr and an exit code. */
import { CommanderError, type Command } from 'commander'
import { exitCodes, Refusal } from './answer.ts'

export async function runProgram(program: Command): Promise<void> {
  try {
    await program.parseAsync()
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? exitCodes.done : exitCodes.usage
    else if (error instanceof Refusal) {
      process.stderr.write(`${error.message}\n`)
      process.exitCode = error.exitCode
    } else throw error
  }
}
