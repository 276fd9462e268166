#!/bin/bash
# An array job in which every task trains one of N shards of a plan, into a database of
# its own; the tasks need no network between them.
#
#   sbatch --array=1-8 experiments/slurm/shards.sh 8 fig3b --preset full --dataset SET
#   # a task that was ended goes on from there: the same with --array=3
#   dse import results/shards/*.zip
#   dse reproduce fig3b --preset full --dataset SET
#
# Not tried on a real cluster.
#SBATCH --job-name=dse
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=8
#SBATCH --time=12:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --output=dse-%A_%a.log
set -euo pipefail

parts=$1
shift
part=$SLURM_ARRAY_TASK_ID
storage=sqlite:///results/shards/$part/dse.db

dse sweep "$@" --shard "$part/$parts" --storage "$storage" &
sweep=$!
trap 'kill -TERM $sweep' TERM # what is finished is kept
status=0
wait $sweep || status=$?
wait $sweep 2>/dev/null || true # where a signal ended the wait before the sweep
dse export "results/shards/$part.zip" --storage "$storage"
exit $status
