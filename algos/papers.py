"""The papers that policies come from: authors, title, arXiv id."""

JAILLET = (
    "Jaillet, Jiang, Mellou, Molinaro, Podimata, Zhou, "
    '"Online Scheduling for LLM Inference with KV Cache Constraints", arXiv 2502.07115'
)
WANG = 'Wang, Ye, Zhou, "LLM Serving Optimization with Variable Prefill and Decode Lengths", arXiv 2508.06133'
CHEN = 'Chen, Ye, Zhou, "Adaptively Robust LLM Inference Optimization under Prediction Uncertainty", arXiv 2508.14544'
FENG = 'Feng, Yang, Zhang, "Competitive Non-Clairvoyant KV-Cache Scheduling for LLM Inference", arXiv 2601.22996'
KONG = (
    'Kong, Qi, Ye, Zhou, "Geometry-Aware Online Scheduling for LLM Serving: From Theoretical Bound to System '
    'Practice", arXiv 2606.22327'
)
FENG_ROUTING = (
    'Feng, Liu, Yang, Zhang, "General Non-Clairvoyant KV-Cache Scheduling via Regime-Aware Routing", arXiv 2607.09248'
)
KWON = (
    'Kwon et al., "Efficient Memory Management for Large Language Model Serving with PagedAttention", arXiv 2309.06180'
)
YU = 'Yu et al., "Orca: A Distributed Serving System for Transformer-Based Generative Models", OSDI 2022'
WU = 'Wu et al., "Fast Distributed Inference Serving for Large Language Models", arXiv 2305.05920'
SHAHOUT = 'Shahout et al., "Don\'t Stop Me Now: Embedding Based Scheduling for LLMs", arXiv 2410.01035'
FU = 'Fu et al., "Efficient LLM Scheduling by Learning to Rank", arXiv 2408.15792'
JIN = 'Jin et al., "S3: Increasing GPU Utilization during Generative Inference for Higher Throughput", arXiv 2306.06000'
AO = (
    'Ao, Luo, Simchi-Levi, Wang, "Optimizing LLM Inference: Fluid-Guided Online Scheduling with Memory '
    'Constraints", arXiv 2504.11320'
)
AGRAWAL = 'Agrawal et al., "Taming Throughput-Latency Tradeoff in LLM Inference with Sarathi-Serve", arXiv 2403.02310'
AGRAWAL_VIDUR = 'Agrawal et al., "Vidur: A Large-Scale Simulation Framework for LLM Inference", arXiv 2405.05465'
AO_CONGESTION = (
    'Ao, Dong, Luo, Simchi-Levi, "Service-Induced Congestion in Memory-Constrained LLM Serving", arXiv 2606.15555'
)
