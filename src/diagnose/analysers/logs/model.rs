//! A model server that no longer serves, or a GPU that is gone.

use super::{Sign, Where};
use crate::domain::cause::CauseWord;

pub(super) const SIGNS: &[Sign] = &[
    Sign {
        word: CauseWord::GpuLost,
        says: "a GPU is gone or broken",
        place: Where::Anywhere,
        least: 1,
        patterns: &[
            // NVIDIA's kernel driver (Xid 79: fallen off the bus), its tools, the CUDA runtime through PyTorch or llama.cpp
            r"\bNVRM: (?:Xid \([^)]*\): (?:48|62|64|74|79|95|119), |GPU .* has fallen off the bus)",
            r"\bGPU has fallen off the bus",
            r"^(?:[ -~]{0,80}: )?CUDA error: (?:uncorrectable ECC error|no CUDA-capable device|unspecified launch failure|device not ready|unknown error)",
            r"^Failed to initialize NVML: ",
            r"\bNo CUDA GPUs are available$",
        ],
    },
    Sign {
        word: CauseWord::ModelServerDown,
        says: "the model server's engine has died",
        place: Where::Anywhere,
        least: 1,
        patterns: &[
            // vLLM: its engine's process, and what its server answers from then on
            r"\bEngineDeadError: ",
            r"\bAsyncEngineDeadError: ",
            r"^EngineCore (?:failed to start|encountered (?:a fatal error|an issue))",
            // Ollama: the process that runs the model
            r"\bllama runner process (?:has terminated|no longer running)",
            r"\btimed out waiting for llama runner to start",
            // PyTorch and llama.cpp: no room for the model or its cache
            r"\btorch\.(?:cuda\.)?OutOfMemoryError: CUDA out of memory",
            r"\bggml_backend_cuda_buffer_type_alloc_buffer: allocating .* failed: out of memory",
        ],
    },
];
