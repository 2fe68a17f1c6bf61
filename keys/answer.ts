/** What a command comes to. The exit codes are for scripts and stand in `--help`. */

export const exitCodes = { done: 0, refused: 1, usage: 2, unavailable: 3 } as const
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

export interface Answer {
  /** For people. */
  readonly text: string
  /** For programs: what `--json` prints. */
  readonly json: unknown
  /** `done` unless it says otherwise. */
  readonly exitCode?: ExitCode
}

/** Something the operator can mend: said in one sentence, without a stack trace and without any secret. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly exitCode: ExitCode

  constructor(message: string, exitCode: ExitCode = exitCodes.refused) {
    super(message)
    this.exitCode = exitCode
  }
}
