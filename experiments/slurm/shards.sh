#!/bin/bash
# An array job in which every task trains a shard of a plan into a database of its own;
# the tasks need no network between them, and a shard that ends early is not repeated.
#
#   sbatch --array=1-8 experiments/slurm/shards.sh fig3b --preset full --dataset SET
#   # when all have ended (a task that was lost: submit that number again)
#   dse import results/shards/*.zip
#   dse reproduce fig3b --preset full --dataset SET
#
# Not tried on a real cluster.
#SBATCH --job-name=dse
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=8
#SBATCH --time=12:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --output=results/shards/%a.log
set -euo pipefail

part=$SLURM_ARRAY_TASK_ID
parts=${SLURM_ARRAY_TASK_MAX:-$SLURM_ARRAY_TASK_COUNT}
folder=results/shards/$part
mkdir -p "$folder"

dse sweep "$@" --shard "$part/$parts" --storage "sqlite:///$folder/dse.db" &
trap 'kill -TERM $!' TERM # what is finished is kept; the same task goes on from there
wait $!
dse export "results/shards/$part.zip" --storage "sqlite:///$folder/dse.db"
