import type { Reporter, TestModule } from 'vitest/node'

/** Ends the run with the line `N passed, N failed`, counted by the runner. A file that does not load is a failure. */
export default class TallyReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()])
    const count = (state: string) => tests.filter((test) => test.result().state === state).length
    const [passed, skipped] = [count('passed'), count('skipped')]
    const broken = modules.filter((module) => module.errors().length > 0).length
    // CI skips nothing: what is set aside there has failed.
    const setAside = process.env.CI ? 0 : skipped
    const failed = tests.length - passed - setAside + broken + errors.length
    const aside = setAside > 0 ? `, ${setAside} skipped` : ''
    process.on('exit', () => process.stdout.write(`${passed} passed, ${failed} failed${aside}\n`))
    if (failed > 0) process.exitCode = 1
  }
}
