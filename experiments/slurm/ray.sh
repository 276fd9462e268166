#!/bin/bash
# One job of several machines, joined by Ray; the driver runs on the first of them and
# owns the database, which only that machine has to see.
#
#   sbatch --nodes=4 experiments/slurm/ray.sh fig3b --preset full --dataset SET
#
# The same command again goes on where the job was ended. Not tried on a real cluster.
#SBATCH --job-name=dse
#SBATCH --ntasks-per-node=1
#SBATCH --gres=gpu:4
#SBATCH --cpus-per-task=16
#SBATCH --time=12:00:00
#SBATCH --output=dse-%j.log
set -euo pipefail

# Who has no token is not let in; srun hands it on in the environment.
RAY_AUTH_MODE=token
RAY_AUTH_TOKEN=$(od -An -tx1 -N32 /dev/urandom | tr -d ' \n')
export RAY_AUTH_MODE RAY_AUTH_TOKEN

head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
address=$(getent ahostsv4 "$head" | awk 'NR == 1 {print $1}'):6379

# Every machine keeps its Ray in the foreground, so it ends with the job.
srun --nodes=1 --ntasks=1 --nodelist="$head" --overlap \
    ray start --head --port=6379 --block &
sleep 15
if ((SLURM_NNODES > 1)); then
    srun --nodes=$((SLURM_NNODES - 1)) --ntasks=$((SLURM_NNODES - 1)) \
        --exclude="$head" --overlap ray start --address="$address" --block &
fi
sleep 15

srun --nodes=1 --ntasks=1 --nodelist="$head" --overlap \
    dse sweep "$@" --executor ray --address "$address"
