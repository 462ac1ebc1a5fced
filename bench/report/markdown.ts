import { number, spread } from './format.js'
import { describeLoad, type Report, tableOf } from './report.js'

/**
 * The report as a Markdown page.
 * @param plot file name of the SVG plot next to it
 */
export function toMarkdown(report: Report, plot: string): string {
  const { headings, rows } = tableOf(report, { spread, number })
  const { machine, settings } = report
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const alignment = headings.map((_, column) => (column === 0 ? '---' : '---:'))
  const generatorCpu = report.targets.map(({ target, generatorCpu }) => `${target} ${spread(generatorCpu)}`)
  return [
    `# ${report.workload}, ${report.date.slice(0, 10)}`,
    '',
    `${capitalised(report.summary)}.`,
    '',
    line(headings),
    line(alignment),
    ...rows.map(line),
    '',
    `![Throughput, CPU time and latency of each target](${plot})`,
    '',
    `Numbers are medians over the rounds, with the smallest and the largest in brackets; percentiles are over all rounds`,
    `together. Ratios compare a target with the control of the same round.`,
    '',
    `- Servers: ${report.servers}, on the same machine`,
    `- Load: ${describeLoad(report)}; ${settings.generators} generator process(es), ${settings.rows} rows`,
    `- CPU time of the load generator, us per ${report.unit}: ${generatorCpu.join(', ')}`,
    `- Sluice: ${settings.workers} worker(s)`,
    `- Machine: ${machine.cores} cores (${machine.cpu}), ${machine.memoryGiB} GiB, Linux ${machine.kernel}, Node ${machine.node}`,
    '',
  ].join('\n')
}

function capitalised(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}
