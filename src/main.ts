#!/usr/bin/env node
import cluster from 'node:cluster'

// A worker loads nothing of the control plane: its memory and its start are its clients'.
if (cluster.isWorker) {
  const { runWorker } = await import('./worker/index.js')
  runWorker()
} else {
  const { runCli } = await import('./cli.js')
  await runCli(process.argv.slice(2))
}
