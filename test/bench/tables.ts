/** What was measured as tables, and tables as text for the screen or as Markdown. */
import Table from 'cli-table3'
import { median, quantile } from 'simple-statistics'
import { comparisons, type Comparison } from './comparisons.ts'
import type { Row } from './rounds.ts'

export interface TextTable {
  readonly title: string
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

export interface Spread {
  readonly middle: number
  /** Half of the rounds lie between these. */
  readonly low: number
  readonly high: number
}

export function spreadOf(values: readonly number[]): Spread {
  const all = [...values]
  return { middle: median(all), low: quantile(all, 0.25), high: quantile(all, 0.75) }
}

export function ratesTable(rows: readonly Row[]): TextTable {
  const names = [...new Set(rows.map(({ name }) => name))]
  const cell = (name: string, alone: boolean) => {
    const row = rows.find((one) => one.name === name && one.alone === alone)
    if (!row) return ''
    const usual = row.alone || row.callers === 32 ? '' : ` (${row.callers} callers)`
    return describeSpread(spreadOf(row.rates), rate) + usual
  }
  return {
    title: 'Rates: operations a second',
    head: ['what', '1 caller', '32 callers'],
    rows: names.map((name) => [name, cell(name, true), cell(name, false)]),
  }
}

/** Only what was measured can be compared. */
export function ratiosTable(rows: readonly Row[], which: readonly Comparison[] = comparisons): TextTable {
  const cell = ({ of, to, target }: Comparison, alone: boolean) => {
    const ratios = ratiosOf(rows, { of, to }, alone)
    if (ratios.length === 0) return ''
    const wanted = target?.[alone ? 0 : 1]
    const spread = spreadOf(ratios)
    const verdict = wanted === undefined ? '' : `, ${spread.middle >= wanted ? 'meets' : 'misses'} ${wanted}`
    return describeSpread(spread, ratio) + verdict
  }
  const lines = which.map((comparison) => [
    comparison.of,
    comparison.to,
    cell(comparison, true),
    cell(comparison, false),
  ])
  return {
    title: 'Ratios: the rate of the first to that of the second, in the same round',
    head: ['what', 'to', '1 caller', '32 callers'],
    rows: lines.filter(([, , alone, together]) => alone !== '' || together !== ''),
  }
}

/** By round. */
export function ratiosOf(rows: readonly Row[], { of, to }: Comparison, alone: boolean): number[] {
  const ratesOf = (name: string) => rows.find((row) => row.name === name && row.alone === alone)?.rates
  // What is measured with one caller only can do no more for many.
  const others = ratesOf(to) ?? rows.find((row) => row.name === to)?.rates ?? []
  return (ratesOf(of) ?? []).flatMap((each, round) => {
    const other = others[round]
    return other === undefined ? [] : [each / other]
  })
}

export function describeSpread({ middle, low, high }: Spread, describe: (value: number) => string): string {
  return `${describe(middle)} (${describe(low)}–${describe(high)})`
}

const rate = (value: number) => (value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(2))
const ratio = (value: number) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2))

export function toScreen({ title, head, rows }: TextTable): string {
  const table = new Table({ head: [...head], style: { head: [], border: [], compact: true } })
  table.push(...rows.map((row) => [...row]))
  return `\n${title}\n${table.toString()}`
}

export function toMarkdown({ head, rows }: TextTable): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
